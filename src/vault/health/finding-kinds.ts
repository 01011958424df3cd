/** What `doctor` can find: the one table of ids, which scripts filter by and which stay. docs/health.md is written from it. */

export type Severity = 'problem' | 'warning' | 'note';

interface Kind {
  readonly severity: Severity;
  /** When it is found, for people. */
  readonly meaning: string;
  /** How it is mended. */
  readonly hint: string;
}

export const findingKinds = {
  'secret-damaged': {
    severity: 'problem',
    meaning:
      'A secret, or all of an environment, does not hold together: changed, or cut. Cannot be ignored; exit 7.',
    hint: '`vault verify` says more; restore a backup: `vault backup restore FILE`',
  },
  'audit-log-damaged': {
    severity: 'problem',
    meaning: 'The audit log of this place does not hold. Cannot be ignored; exit 7.',
    hint: '`vault audit verify` says more',
  },
  'secret-expired': {
    severity: 'problem',
    meaning: 'A secret has expired: it is refused.',
    hint: 'give it a new value: `vault put NAME -e ENVIRONMENT --expires 90d`, or remove it: `vault rm NAME -e ENVIRONMENT`',
  },
  'file-writable-by-others': {
    severity: 'problem',
    meaning: 'Others may write to the vault, its log or the state folder.',
    hint: '`chmod go-w PATH`',
  },
  'folder-writable-by-others': {
    severity: 'problem',
    meaning:
      'Everybody may put files in the place of the vault or its log, or folders in the place of one that they are in, up to the root.',
    hint: '`chmod o-w PATH`',
  },
  'secret-expiring': {
    severity: 'warning',
    meaning: 'A secret expires within 30 days.',
    hint: 'give it a new value in time: `vault put NAME -e ENVIRONMENT --expires 90d`',
  },
  'rotation-overdue': {
    severity: 'warning',
    meaning: 'A secret is past its rotation interval, or a certificate within 30 days of its end.',
    hint: '`vault rotate --due -e ENVIRONMENT`',
  },
  'never-rotated': {
    severity: 'warning',
    meaning:
      'A password, API key, token or database credential that was never rotated and is older than 90 days. One with an interval is told as overdue instead.',
    hint: '`vault rotate NAME -e ENVIRONMENT`',
  },
  'rotation-pending': {
    severity: 'warning',
    meaning: 'A rotation was begun more than an hour ago and has not ended.',
    hint: '`vault rotate --resume -e ENVIRONMENT`, or take it back: `vault rotate --abandon NAME -e ENVIRONMENT`',
  },
  'grace-over': {
    severity: 'warning',
    meaning:
      'The value before is past its time of grace and was not let go where it is used, as the audit log of this place has it; the hook of the secret does that.',
    hint: '`vault rotate --retire NAME -e ENVIRONMENT`',
  },
  'hook-missing': {
    severity: 'warning',
    meaning: 'A secret names a hook that is not in the policy of its environment.',
    hint: 'store it: `vault hook set`, or name another one, or none: `vault hook use none NAME -e ENVIRONMENT`',
  },
  'weak-value': {
    severity: 'warning',
    meaning: 'A value is empty or easy to guess.',
    hint: 'a strong one: `vault rotate NAME -e ENVIRONMENT`',
  },
  'value-not-judged': {
    severity: 'warning',
    meaning: 'This program failed at a value, which was not judged. All others were.',
    hint: 'a bug of this program, or a value that was made to trip it: see who wrote it with `vault audit --name NAME`',
  },
  'reused-value': {
    severity: 'warning',
    meaning: 'Secrets of different names have the same value.',
    hint: 'give each a value of its own: `vault rotate NAME -e ENVIRONMENT`',
  },
  'shared-with-production': {
    severity: 'warning',
    meaning: 'A secret has the same value in production as elsewhere, under the same name.',
    hint: 'give production a value of its own: `vault rotate NAME -e production`',
  },
  'readable-by-others': {
    severity: 'warning',
    meaning: 'Others on this machine may read the vault, and guess at its passphrases, or its log.',
    hint: '`chmod go-r PATH`',
  },
  'credential-readable-by-others': {
    severity: 'warning',
    meaning:
      'Others on this machine may read or write a file that opens the vault: VAULT_PASSPHRASE_FILE, VAULT_ACCESS_TOKEN_FILE, VAULT_KEY_FILE, `--key-file`, VAULT_PKCS11_PIN_FILE or VAULT_AGE_IDENTITY.',
    hint: '`chmod go-rwx PATH`, and change what stands in it',
  },
  'other-owner': {
    severity: 'warning',
    meaning: 'The vault, its log, their folder or the state folder belongs to somebody else.',
    hint: 'make it yours: `chown`',
  },
  'clock-behind': {
    severity: 'warning',
    meaning:
      'This machine’s clock is behind the newest time in the vault by more than five minutes; by a day, and nothing can be written.',
    hint: 'set the clock, or find out who wrote with a wrong one: `vault audit`',
  },
  'kdf-weak': {
    severity: 'warning',
    meaning: 'A passphrase of yours is stretched by less than 19 MiB and 2 passes, or 600,000 iterations.',
    hint: '`vault passwd` uses the present recommendation',
  },
  'no-memory': {
    severity: 'warning',
    meaning: 'This machine cannot remember the vault: a rollback would go unnoticed.',
    hint: 'make the state folder writable for you, or set XDG_STATE_HOME',
  },
  'rekey-due': {
    severity: 'warning',
    meaning: 'An environment has had its keys for longer than the policy allows (`rekey.days`).',
    hint: '`vault rekey --env ENVIRONMENT`',
  },
  'keys-due': {
    severity: 'warning',
    meaning:
      'Somebody removed a credential and still has the keys that it opened, or has a token that a former administrator may know.',
    hint: '`vault access reissue NAME`',
  },
  'offboarding-open': {
    severity: 'warning',
    meaning: 'Values that somebody knew who lost access are still current.',
    hint: 'rotate them: `vault offboard --status` lists each',
  },
  'credential-due': {
    severity: 'warning',
    meaning:
      'The policy no longer allows the credential that you unlocked with: too old, or one factor where two are wanted.',
    hint: '`vault passwd`',
  },
  'access-expired': {
    severity: 'warning',
    meaning: 'The access of a person or machine has expired.',
    hint: 'a new date: `vault access grant NAME --expires 90d`, or `vault access rm NAME`',
  },
  'access-expiring': {
    severity: 'warning',
    meaning: 'The access of a person or machine expires within 30 days.',
    hint: '`vault access grant NAME --expires 90d`',
  },
  'no-credential': {
    severity: 'warning',
    meaning: 'Somebody is in the vault and has nothing to unlock it with.',
    hint: '`vault access reissue NAME`, or `vault access rm NAME`',
  },
  'single-administrator': {
    severity: 'warning',
    meaning:
      'There is one administrator, without a recovery key: one lost passphrase, and nobody administers this vault any more.',
    hint: '`vault slot add --recovery`, or a second one: `vault access add PERSON --can admin --invite`',
  },
  'vault-large': {
    severity: 'warning',
    meaning: 'The vault has used half of the 1 GiB that a vault may have.',
    hint: 'keep fewer versions: `vault policy set retention.versions 10`',
  },
  'lock-held': {
    severity: 'warning',
    meaning: 'Another process holds the lock of the vault.',
    hint: 'wait for it, or end it: the lock goes with the process',
  },
  'shared-between-environments': {
    severity: 'note',
    meaning:
      'A secret has the same value in several environments under the same name, and not both in production and elsewhere.',
    hint: 'usual for development; else `vault rotate NAME -e ENVIRONMENT`',
  },
  'secret-unused': {
    severity: 'note',
    meaning:
      'Nobody has read a secret for 90 days, as the audit log of this place has it: what other machines did with other logs is not in it.',
    hint: 'if nobody needs it: `vault rm NAME -e ENVIRONMENT`',
  },
  'use-not-known': {
    severity: 'note',
    meaning:
      'The audit log of this place does not reach back 90 days: whether older secrets are used is not known.',
    hint: 'nothing to mend: ask again when the log is older',
  },
  'rotation-under-way': {
    severity: 'note',
    meaning: 'A rotation was begun within the last hour.',
    hint: 'if nobody is at it: `vault rotate --resume` or `--abandon NAME`',
  },
  'hook-not-accepted': {
    severity: 'note',
    meaning: 'A secret names a hook of the policy that you have not accepted on this machine.',
    hint: 'where you rotate it: `vault hook show ID -e ENVIRONMENT`, then `vault hook trust ID -e ENVIRONMENT`',
  },
  'values-not-read': {
    severity: 'note',
    meaning: 'You may list an environment and not read it: weak and reused values were not looked for.',
    hint: 'ask somebody who may read it to run `vault doctor`',
  },
  'environment-not-open': {
    severity: 'note',
    meaning: 'You have no access to an environment: nothing in it was looked at.',
    hint: 'ask somebody who has to run `vault doctor`',
  },
  'kdf-below-default': {
    severity: 'note',
    meaning: 'A passphrase of yours is stretched by less than today’s default, and by enough.',
    hint: '`vault passwd` uses the present default',
  },
  'folder-writable-by-group': {
    severity: 'note',
    meaning: 'The group of the folder may put files in the place of the vault or its log.',
    hint: '`chmod g-w PATH`, unless the group is yours alone',
  },
  'temporary-file': {
    severity: 'note',
    meaning: 'A killed process left a temporary file.',
    hint: 'nothing to do: the next write removes it',
  },
  'log-not-proven': {
    severity: 'note',
    meaning: 'The audit log is longer than what is proven along (16 MiB); its end was checked.',
    hint: '`vault audit verify`',
  },
  'log-large': {
    severity: 'note',
    meaning: 'The audit log has more than 256 MiB.',
    hint: '`vault audit prune --before TIME --archive FILE`',
  },
  'passphrase-in-environment': {
    severity: 'note',
    meaning: 'VAULT_PASSPHRASE is set: whatever runs as you can read it.',
    hint: 'VAULT_PASSPHRASE_FILE or VAULT_PASSPHRASE_COMMAND',
  },
} as const satisfies Readonly<Record<string, Kind>>;

export type FindingId = keyof typeof findingKinds;

export const findingIds = Object.keys(findingKinds) as readonly FindingId[];

/** What is not a matter of opinion: the exit status says so, whatever is ignored. */
export const integrityFindings: ReadonlySet<FindingId> = new Set(['secret-damaged', 'audit-log-damaged']);
