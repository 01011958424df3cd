/**
 * An audit log in which much has happened: several principals, failed unlocks, a join that came to nothing, writes, somebody removed,
 * somebody with new keys. And lines of two other logs: of another place of the same vault, and of another vault.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { FileSystem } from '../../src/storage/file-system.ts';
import type { Identity } from '../../src/access/bundle.ts';
import { checkpoint } from '../../src/vault/operations/audit-proof.ts';
import type { Place } from '../../src/vault/place.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { records } from './audit-records.ts';
import { diskError } from './watched-file-system.ts';
import { failureOf } from './failure.ts';
import { accept, invite } from './newcomer.ts';
import { openWithSecret, put, type SampleVault } from './sample-vault.ts';
import { add, as, asOwner, getIn, otherMachine, reissue, remove, teamVault } from './team.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface EventfulLog {
  readonly team: SampleVault;
  /** Of whoever may still sign, by name. */
  readonly signers: ReadonlyMap<string, Identity>;
  /** Who was an administrator, and was removed. */
  readonly former: Identity;
  /** Lines with their LFs. */
  readonly lines: readonly Buffer[];
  /** Whether a record seals those before it: whether somebody whom the vault knows has signed it. */
  readonly seals: readonly boolean[];
  /** Number of the record that the vault's snapshot names. */
  readonly named: number;
  readonly tokens: ReadonlyMap<string, string>;
  /** A checkpoint that names the last record but two. */
  readonly checkpoint: Buffer;
  readonly ofAnotherPlace: readonly Buffer[];
  readonly ofAnotherVault: readonly Buffer[];
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0x0a, start) + 1;
    if (end === 0) throw new Error('the log has an unfinished line');
    lines.push(bytes.subarray(start, end));
    start = end;
  }
  return lines;
}

/** Somebody tries a credential that opens nothing. */
export async function failToUnlock(place: Place): Promise<void> {
  await failureOf(openWithSecret(place, new Uint8Array(32), 'owner'));
}

/** The same vault from a place with a log of its own. */
export function otherPlace(sample: SampleVault): SampleVault {
  const audit = { type: 'file', path: path.join(temporaryFolder(), 'audit.jsonl') } as const;
  return { ...sample, place: { ...otherMachine(sample), audit } };
}

/** A join that is stopped by a full disk, or killed, when the vault is to be replaced. */
async function stoppedJoin(team: SampleVault, text: string, killed: boolean): Promise<void> {
  const place = otherMachine(team);
  let atRename = Buffer.alloc(0);
  const renameSync: FileSystem['renameSync'] = (from, to) => {
    if (to !== place.path) {
      place.fs.renameSync(from, to);
      return;
    }
    atRename = readFileSync(place.audit.path);
    throw diskError('ENOSPC');
  };
  await failureOf(accept({ ...place, fs: { ...place.fs, renameSync } }, text));
  if (killed) writeFileSync(place.audit.path, atRename);
}

/** @param changes of the place in which it happens */
export async function eventfulLog(changes: Partial<Place> = {}): Promise<EventfulLog> {
  const team = await teamVault(['staging', 'production'], changes);
  const { place } = team;
  const tokens = new Map<string, string>();
  const signers = new Map<string, Identity>();
  const token = (name: string): string => tokens.get(name) ?? '';
  const work = async <T>(name: string, what: (vault: Vault) => Promise<T>): Promise<T> =>
    as(place, token(name), what);
  const staged = { environment: 'staging' };

  await asOwner(team, async (owner) => {
    await put(owner, 'db', 'of staging', staged);
    await put(owner, 'db', 'of production', { environment: 'production' });
    for (const [name, can, env] of [
      ['ada', 'read,write', 'staging'],
      ['bob', 'read', 'staging,production'],
      ['eve', 'admin', ''],
      ['old', 'read,write', 'staging'],
    ] as const)
      tokens.set(name, await add(owner, name, { can, env }));
  });
  const meddler = otherPlace(team);
  await asOwner(meddler, async (owner) => {
    for (const name of ['db', 'db', 'db']) await getIn(owner, 'staging', name);
  });
  for (const name of ['ada', 'bob', 'old', 'ada']) await work(name, async (v) => getIn(v, 'staging', 'db'));
  for (let times = 0; times < 3; times++) await failToUnlock(place);
  await work('old', async (v) => put(v, 'db', 'by old', staged));
  await work('bob', async (v) => failureOf(getIn(v, 'staging', 'absent')));
  for (let times = 0; times < 2; times++) await failToUnlock(place);
  const { former, text } = await work('eve', async (v) => ({
    former: v.identity,
    text: await invite(v, 'kim', { can: 'read', env: 'staging' }),
  }));
  await stoppedJoin(team, text, true);
  await asOwner(team, async (owner) => {
    await put(owner, 'api', 'one', staged);
    await remove(owner, 'old');
    tokens.set('bob', await reissue(owner, 'bob'));
  });
  await stoppedJoin(team, text, false);
  await failToUnlock(place);
  await work('bob', async (v) => getIn(v, 'production', 'db'));
  await stoppedJoin(team, text, true);
  await stoppedJoin(team, text, true);
  await work('ada', async (v) => {
    for (let times = 0; times < 4; times++) await getIn(v, 'staging', 'db');
    await put(v, 'db', 'by ada', staged);
  });
  await asOwner(team, async (owner) => remove(owner, 'eve'));
  const named = records(place).length;
  await work('bob', async (v) => getIn(v, 'staging', 'db'));
  for (let times = 0; times < 2; times++) await failToUnlock(place);
  for (const name of ['ada', 'bob'])
    await work(name, async (v) => {
      signers.set(name, v.identity);
      return getIn(v, 'staging', 'db');
    });
  const line = await asOwner(team, async (owner) => {
    signers.set('owner', owner.identity);
    return checkpoint(owner);
  });
  for (const name of ['ada', 'bob']) await work(name, async (v) => getIn(v, 'staging', 'db'));

  const lines = linesOf(readFileSync(place.audit.path));
  const newcomer = records(place).find(({ op }) => op === 'join')?.principal;
  const elsewhere = await teamVault(['staging', 'production']);
  await asOwner(elsewhere, async (owner) => {
    for (const value of ['1', '2', '3', '4']) await put(owner, 'db', value, staged);
  });
  return {
    team,
    signers,
    former,
    tokens,
    lines,
    seals: records(place).map((record) => 'sig' in record && record.principal !== newcomer),
    named,
    checkpoint: Buffer.from(line.trimEnd()),
    ofAnotherPlace: linesOf(readFileSync(meddler.place.audit.path)),
    ofAnotherVault: linesOf(readFileSync(elsewhere.place.audit.path)),
  };
}
