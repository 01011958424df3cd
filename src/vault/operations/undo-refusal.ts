/** What `undo` does not take back, and the way out. */
import { SecretNotFoundError, UsageError } from '../../errors.ts';
import type { SignedRecord } from '../../format/audit-record.ts';
import type { Step } from '../reversal.ts';
import type { Scope } from '../scope.ts';
import { namesOf } from './audit-names.ts';
import { shown } from './secret.ts';

const access = '`vault access` gives what was taken, and takes what was given';
const keys = 'credentials and keys have commands of their own: `vault passwd`, `slot`, `rekey`';
const rotation = 'end it with `vault rotate --resume`, or `vault rotate --abandon`';

/** By operation, or by what comes before the first `-` of one. */
const ways: Readonly<Record<string, string>> = {
  access,
  offboard: access,
  join: access,
  passwd: keys,
  recover: keys,
  slot: keys,
  rekey: keys,
  env: 'what is in an environment that was removed is gone but for backups; one that was made goes by `vault env rm`',
  policy: '`vault policy set` sets a rule to what it was',
  purge: 'what was purged is gone; a backup may have it: `vault backup verify FILE`',
  'audit-prune': 'what was pruned is in the archive, if one was named',
  backup: 'the vault that was replaced stands beside it',
  'rotate-stage': rotation,
  'rotate-withdraw': 'the old value is current; the new one is kept: `vault history NAME`',
};

const bySecret = 'a secret goes back by itself: `vault rollback NAME --to N`, `vault restore NAME`';

/** What people call an operation of the log. */
export function spoken(operation: string): string {
  return operation === 'purge' ? 'rm --purge' : operation.replace('-', ' ');
}

/** A change, as errors call it. */
export function changeOf({ op, time, seq }: Pick<SignedRecord, 'op' | 'time' | 'seq'>): string {
  return `your last change here, ${spoken(op)} at ${time} (record ${seq})`;
}

export function notReversible(record: SignedRecord): UsageError {
  const { op } = record;
  const way = ways[op] ?? ways[op.split('-')[0] ?? ''] ?? bySecret;
  return new UsageError(`${changeOf(record)}, cannot be taken back`, { hint: way });
}

/** Two places have the new value, and the vault is only one of them. */
export function changedByHooks(record: SignedRecord, step: Step | undefined): UsageError {
  const message = `${changeOf(record)}, brought the new value to where it is used: the vault alone cannot take it back`;
  const from = step === undefined ? 'OLD' : String(step.from);
  const name = step === undefined ? 'NAME' : shown(step.after.name);
  const hint = `rotate to the old value, with the same hooks: \`vault get ${name} --version ${from} | vault rotate ${name} --apply … --check …\``;
  return new UsageError(message, { hint });
}

/** What was before is not here; where the log names one secret, how it goes back by hand. */
export async function notKept(scope: Scope, record: SignedRecord): Promise<SecretNotFoundError> {
  const message = `what was before ${changeOf(record)}, is not kept on this machine`;
  const [[, hash, version] = ['', '', 0], ...more] = record.secrets;
  const name = more.length > 0 ? undefined : (await namesOf(scope, new Set([hash]))).get(hash);
  if (name === undefined) return nothingToUndo(message);
  const said = shown(name);
  if (record.op === 'rm') return nothingToUndo(message, `\`vault restore ${said}\` brings it back`);
  if (version === 1) return nothingToUndo(message, `\`vault rm ${said}\` removes it`);
  const hint = `go back by hand: \`vault history ${said}\`, \`vault rollback ${said} --to N\``;
  return nothingToUndo(message, hint);
}

export function nothingToUndo(message: string, hint = bySecret): SecretNotFoundError {
  return new SecretNotFoundError(message, { hint }, 'NOTHING_TO_UNDO');
}
