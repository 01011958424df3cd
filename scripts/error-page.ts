/** docs/errors.md: every error code with its class, exit status, cause and mend. Rendered by `npm run docs`. */
import {
  AccessDeniedError,
  AuditError,
  BackendError,
  ConcurrencyError,
  DeclinedError,
  IntegrityError,
  InterruptedError,
  SecretExpiredError,
  SecretNotFoundError,
  SecretsManagerError,
  UnlockError,
  UsageError,
  outcomes,
  type ErrorCode,
} from '../src/errors.ts';

interface Meaning {
  /** One of the kind: its constructor decides which codes a class can have. */
  readonly one: SecretsManagerError;
  readonly cause: string;
}

const meanings: Readonly<Record<ErrorCode, Meaning>> = {
  USAGE: {
    one: new UsageError(''),
    cause:
      'an argument, option, name, duration or setting that cannot be understood or is not allowed; a value of another form than was asked for',
  },
  WEAK_VALUE: {
    one: new UsageError('', {}, 'WEAK_VALUE'),
    cause: 'a new credential that is weaker than the format or the policy of the vault allows',
  },
  NAME_COLLISION: {
    one: new UsageError('', {}, 'NAME_COLLISION'),
    cause: '`exec`: several secrets become the same variable, or one that must not change',
  },
  SECRET_NOT_FOUND: {
    one: new SecretNotFoundError(''),
    cause:
      'no secret of this name in this environment, or it was removed; a file that was named and is not there',
  },
  VERSION_NOT_FOUND: {
    one: new SecretNotFoundError('', {}, 'VERSION_NOT_FOUND'),
    cause: 'the secret is there, and that version of it was never written, or is no longer kept',
  },
  VAULT_NOT_FOUND: {
    one: new SecretNotFoundError('', {}, 'VAULT_NOT_FOUND'),
    cause: 'no vault at the path, or none from here upward',
  },
  FIELD_NOT_FOUND: {
    one: new SecretNotFoundError('', {}, 'FIELD_NOT_FOUND'),
    cause: 'the value is JSON, and has no such field',
  },
  HOOK_NOT_FOUND: {
    one: new SecretNotFoundError('', {}, 'HOOK_NOT_FOUND'),
    cause: 'no hook of this id is stored in the environment, nor in the user’s configuration',
  },
  NOTHING_TO_UNDO: {
    one: new SecretNotFoundError('', {}, 'NOTHING_TO_UNDO'),
    cause:
      '`undo`: the log of this place has no change of this principal, or what was before it is not kept on this machine',
  },
  UNLOCK_FAILED: {
    one: new UnlockError(''),
    cause: 'no credential, a wrong, mistyped or revoked one, or one of another vault',
  },
  LOCKED_OUT: {
    one: new UnlockError('', {}, 'LOCKED_OUT'),
    cause: 'too many wrong passphrases. Reserved: this version has no lockout',
  },
  ACCESS_DENIED: {
    one: new AccessDeniedError(''),
    cause: 'the principal lacks the right, or its time is over; or the policy asks for another credential',
  },
  UNTRUSTED_PROJECT: {
    one: new AccessDeniedError('', {}, 'UNTRUSTED_PROJECT'),
    cause: 'a `vault.json` chooses the vault, and the user has not accepted it as it is',
  },
  UNTRUSTED_HOOK: {
    one: new AccessDeniedError('', {}, 'UNTRUSTED_HOOK'),
    cause: 'a hook of the vault’s policy was not accepted by the user as it is',
  },
  SECRET_EXPIRED: {
    one: new SecretExpiredError(''),
    cause: 'the version that was asked for has expired',
  },
  INTEGRITY: {
    one: new IntegrityError(''),
    cause:
      'the vault or its audit log was changed or damaged; nothing of it must be used. `EncryptionError`, a class below this one, has the same code: a sealed text does not open, or a key is malformed',
  },
  ROLLBACK: {
    one: new IntegrityError('', {}, 'ROLLBACK'),
    cause: 'an older vault, or a shorter log, than this machine or this principal has seen',
  },
  UNSAFE_PATH: {
    one: new IntegrityError('', {}, 'UNSAFE_PATH'),
    cause:
      'a link, a special file or somebody else’s file where the vault, its log, its lock or a setting should be',
  },
  NEWER_FORMAT: {
    one: new IntegrityError('', {}, 'NEWER_FORMAT'),
    cause: 'the vault has something that this version does not know',
  },
  LOCK_HELD: {
    one: new ConcurrencyError('', {}, 'LOCK_HELD'),
    cause: 'another process, which the message names, has held the lock for more than ten seconds',
  },
  CONFLICT: {
    one: new ConcurrencyError(''),
    cause: 'the secret is at another version than was said, or something else has changed meanwhile',
  },
  ALREADY_EXISTS: {
    one: new ConcurrencyError('', {}, 'ALREADY_EXISTS'),
    cause: 'what was to be made is there already',
  },
  BACKEND: {
    one: new BackendError(''),
    cause:
      'the disk or a folder: full, read-only, not allowed, failing; or a device or program that is needed',
  },
  DURABILITY_UNKNOWN: {
    one: new BackendError('', {}, 'DURABILITY_UNKNOWN'),
    cause: 'the change was made, and could not be flushed or read again',
  },
  HOOK_FAILED: {
    one: new BackendError('', {}, 'HOOK_FAILED'),
    cause: 'a hook of a rotation failed, or the command for a new value',
  },
  AUDIT: {
    one: new AuditError(''),
    cause: 'the record of the operation could not be written, so the operation did not happen',
  },
  DECLINED: {
    one: new DeclinedError(),
    cause: 'somebody at the terminal was asked, and said no',
  },
  INTERNAL: {
    one: new SecretsManagerError('INTERNAL', ''),
    cause: 'a mistake in this program. The library keeps what was thrown as the error’s `cause`',
  },
  INTERRUPTED: {
    one: new InterruptedError(),
    cause: 'Ctrl-C at a question, or the terminal has gone',
  },
};

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** docs/errors.md @throws Error for a code beside a class that does not have it */
export function renderErrors(): string {
  const rows = Object.entries(meanings).map(([code, { one, cause }]) => {
    if (one.code !== code) throw new Error(`${one.name} stands for ${code} and has ${one.code}`);
    const { exit, hint } = outcomes[one.code];
    return `| \`${one.name}\` | \`${code}\` | ${exit} | ${cell(cause)} | ${cell(hint)} |`;
  });
  return `# Errors

Written by \`npm run docs\` out of [src/errors.ts](../src/errors.ts); a test compares.

Every failure is one of these. The code is the contract: it decides the exit status, stands as \`code\` in what \`--json\` prints on standard
error ([schemas/error.schema.json](schemas/error.schema.json)) and in the audit log, and is the member \`code\` of what the
[library](library.md) throws. Messages are for people and may change; none holds a value. Where the place of failure knows a better way out
than this table, its \`hint\` is that one. All classes extend \`SecretsManagerError\`, which has \`code\`, \`hint\` and \`exitCode\`.

| class | code | exit | cause | mend |
|---|---|---|---|---|
${rows.join('\n')}

\`exec\` ends with 125 for any of these before its program runs, and with the program's own status afterwards.
`;
}
