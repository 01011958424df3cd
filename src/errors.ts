/**
 * The one error hierarchy. Every failure that a person, a script or an embedding program can meet is a
 * `SecretsManagerError` with a stable `code`; the code decides exit status and hint through one table, typed so
 * that a new code does not compile without both. Messages say what happened and to what; they never hold a value.
 */

interface Outcome {
  readonly exit: number;
  readonly hint: string;
}

/** Exit code and way out for every error code. The table of `commands.md` in one place. */
export const outcomes = {
  USAGE: { exit: 2, hint: 'see `vault --help` for the form of the command' },
  WEAK_VALUE: { exit: 2, hint: 'choose a value that meets the rule' },
  NAME_COLLISION: { exit: 2, hint: 'give each secret a variable of its own with --map or --only' },
  SECRET_NOT_FOUND: { exit: 3, hint: '`vault ls` lists the names' },
  VERSION_NOT_FOUND: { exit: 3, hint: '`vault history NAME` lists the versions that are kept' },
  VAULT_NOT_FOUND: { exit: 3, hint: 'make one with `vault init`, or name it with --vault or VAULT_PATH' },
  FIELD_NOT_FOUND: { exit: 3, hint: '`vault show NAME` says what kind of secret it is' },
  HOOK_NOT_FOUND: { exit: 3, hint: '`vault hook ls` lists those that there are' },
  NOTHING_TO_UNDO: { exit: 3, hint: '`vault rollback NAME --to N` goes back to any version that is kept' },
  UNLOCK_FAILED: {
    exit: 4,
    hint: 'check the credential; `vault recover` lets you back in with the recovery key',
  },
  LOCKED_OUT: { exit: 4, hint: 'wait, or use a session, a token or the recovery key' },
  ACCESS_DENIED: { exit: 5, hint: 'ask an administrator of the vault for the right' },
  UNTRUSTED_PROJECT: { exit: 5, hint: 'read vault.json, then accept it with `vault trust`' },
  UNTRUSTED_HOOK: {
    exit: 5,
    hint: 'read it with `vault hook show ID`, then accept it with `vault hook trust ID`',
  },
  SECRET_EXPIRED: { exit: 6, hint: 'give it a new value, or read it once more with --allow-expired' },
  INTEGRITY: {
    exit: 7,
    hint: 'do not write to this vault; `vault verify` says what is wrong; restore a backup',
  },
  ROLLBACK: { exit: 7, hint: 'if you restored an older copy on purpose: `vault verify --accept-rollback`' },
  UNSAFE_PATH: { exit: 7, hint: 'use a regular file in a folder that only you can write' },
  NEWER_FORMAT: { exit: 7, hint: 'use a newer vault program' },
  LOCK_HELD: { exit: 8, hint: 'try again when the other command has finished' },
  CONFLICT: { exit: 8, hint: 'read the present version and decide again' },
  ALREADY_EXISTS: { exit: 8, hint: 'choose another name, or remove the other one first' },
  BACKEND: { exit: 9, hint: 'check the disk and the folder; the vault itself is unchanged' },
  DURABILITY_UNKNOWN: {
    exit: 9,
    hint: 'the new state is in place; run the command again after checking the disk',
  },
  HOOK_FAILED: { exit: 9, hint: 'the old value is still current' },
  AUDIT: {
    exit: 10,
    hint: 'make room for the audit log or name another with VAULT_AUDIT_FILE; nothing was done',
  },
  DECLINED: { exit: 1, hint: 'nothing was changed' },
  INTERNAL: { exit: 70, hint: 'run again with --debug and report it' },
  INTERRUPTED: { exit: 130, hint: 'nothing was changed' },
} as const satisfies Record<string, Outcome>;

export type ErrorCode = keyof typeof outcomes;

export interface ErrorDetails {
  /** Replaces the table's hint where the place of failure knows a better way out. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Base class: `code` is the contract, the message is for people. */
export class SecretsManagerError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = details.hint ?? outcomes[code].hint;
  }

  get exitCode(): number {
    return outcomes[this.code].exit;
  }
}

/** A command line, name, duration or setting that cannot be understood or is not allowed. */
export class UsageError extends SecretsManagerError {
  constructor(
    message: string,
    details?: ErrorDetails,
    code: 'USAGE' | 'WEAK_VALUE' | 'NAME_COLLISION' = 'USAGE',
  ) {
    super(code, message, details);
  }
}

export class SecretNotFoundError extends SecretsManagerError {
  constructor(
    message: string,
    details?: ErrorDetails,
    code:
      | 'SECRET_NOT_FOUND'
      | 'VERSION_NOT_FOUND'
      | 'VAULT_NOT_FOUND'
      | 'FIELD_NOT_FOUND'
      | 'HOOK_NOT_FOUND'
      | 'NOTHING_TO_UNDO' = 'SECRET_NOT_FOUND',
  ) {
    super(code, message, details);
  }
}

export class UnlockError extends SecretsManagerError {
  constructor(
    message: string,
    details?: ErrorDetails,
    code: 'UNLOCK_FAILED' | 'LOCKED_OUT' = 'UNLOCK_FAILED',
  ) {
    super(code, message, details);
  }
}

export class AccessDeniedError extends SecretsManagerError {
  constructor(
    message: string,
    details?: ErrorDetails,
    code: 'ACCESS_DENIED' | 'UNTRUSTED_PROJECT' | 'UNTRUSTED_HOOK' = 'ACCESS_DENIED',
  ) {
    super(code, message, details);
  }
}

export class SecretExpiredError extends SecretsManagerError {
  constructor(message: string, details?: ErrorDetails) {
    super('SECRET_EXPIRED', message, details);
  }
}

/** Tampered, damaged, rolled back, unsafe link or owner, newer format: what was read must not be used. */
export class IntegrityError extends SecretsManagerError {
  constructor(
    message: string,
    details?: ErrorDetails,
    code: 'INTEGRITY' | 'ROLLBACK' | 'UNSAFE_PATH' | 'NEWER_FORMAT' = 'INTEGRITY',
  ) {
    super(code, message, details);
  }
}

/** A ciphertext did not open, or key material is malformed. Maps to integrity: keys are committed to beforehand. */
export class EncryptionError extends IntegrityError {}

export class ConcurrencyError extends SecretsManagerError {
  constructor(
    message: string,
    details?: ErrorDetails,
    code: 'LOCK_HELD' | 'CONFLICT' | 'ALREADY_EXISTS' = 'CONFLICT',
  ) {
    super(code, message, details);
  }
}

/** Disk, provider or server: unreachable, full, read-only. */
export class BackendError extends SecretsManagerError {
  constructor(
    message: string,
    details?: ErrorDetails,
    code: 'BACKEND' | 'DURABILITY_UNKNOWN' | 'HOOK_FAILED' = 'BACKEND',
  ) {
    super(code, message, details);
  }
}

/** The operation cannot be recorded, so it does not happen. */
export class AuditError extends SecretsManagerError {
  constructor(message: string, details?: ErrorDetails) {
    super('AUDIT', message, details);
  }
}

/** A person was asked, and said no. */
export class DeclinedError extends SecretsManagerError {
  constructor() {
    super('DECLINED', 'not done');
  }
}

export class InterruptedError extends SecretsManagerError {
  constructor(message = 'interrupted') {
    super('INTERRUPTED', message);
  }
}
