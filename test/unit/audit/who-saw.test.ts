/** Who saw a value: what the model of test/property/who-saw.test.ts comes upon rarely, one by one. */
import { appendFileSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { makeRecord, recordDigest } from '../../../src/audit/record.ts';
import type { SignedRecord } from '../../../src/format/audit-record.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { renameSecret } from '../../../src/vault/operations/move.ts';
import { whoSaw, type Sighting } from '../../../src/vault/operations/who-saw.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { records } from '../../support/audit-records.ts';
import { otherPlace } from '../../support/eventful-log.ts';
import { failureOf } from '../../support/failure.ts';
import { after, oldLog, prune, type OldLog } from '../../support/pruning.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, remove, teamVault } from '../../support/team.ts';

const environment = 'staging';
let team: SampleVault;

beforeEach(async () => {
  team = await teamVault([environment, 'production']);
});

const rekey = async (vault: Vault): Promise<unknown> =>
  vault.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, [environment])));

const rename = async (vault: Vault, from: string, to: string): Promise<unknown> =>
  vault.write('mv', async (scope) => renameSecret(scope, environment, from, to));

async function saw(name: string, of: SampleVault = team): Promise<Sighting[]> {
  return asOwner(of, async (owner) =>
    owner.read('audit-who-saw', async (scope) =>
      whoSaw(scope, owner.place, { environment, name, version: null }),
    ),
  );
}

const brief = (all: readonly Sighting[]): unknown[] =>
  all.map(({ principal, how, versions, times }) => [principal, how, versions, times]);

test('a rename after new keys, twice: found under the name of now', async () => {
  await asOwner(team, async (owner) => {
    await put(owner, 'a', 'one', { environment });
    await getIn(owner, environment, 'a');
    await rekey(owner);
    await getIn(owner, environment, 'a');
    await rename(owner, 'a', 'b');
    await rekey(owner);
    await getIn(owner, environment, 'b');
    await rename(owner, 'b', 'c');
    await rekey(owner);
    await getIn(owner, environment, 'c');
  });
  expect(brief(await saw('c'))).toEqual([
    ['owner', 'received', [1], 4],
    ['owner', 'brought', [1], 1],
  ]);
});

test('a name whose next secret was made elsewhere is not taken for the secret that had it before', async () => {
  const elsewhere = otherPlace(team);
  await asOwner(team, async (owner) => {
    await put(owner, 'a', 'one', { environment });
    await getIn(owner, environment, 'a');
    await rename(owner, 'a', 'b');
  });
  await asOwner(elsewhere, async (owner) => put(owner, 'a', 'of another secret', { environment }));
  await asOwner(team, async (owner) => getIn(owner, environment, 'a'));
  expect(brief(await saw('a'))).toEqual([['owner', 'received', [1], 1]]);
  expect(brief(await saw('b'))).toEqual([
    ['owner', 'received', [1], 1],
    ['owner', 'brought', [1], 1],
  ]);
});

test('a rename that came to nothing changes nothing', async () => {
  await asOwner(team, async (owner) => {
    await put(owner, 'a', 'one', { environment });
    await put(owner, 'b', 'another', { environment });
    await failureOf(rename(owner, 'a', 'b'));
    await getIn(owner, environment, 'b');
  });
  expect(brief(await saw('b'))).toEqual([
    ['owner', 'received', [1], 1],
    ['owner', 'brought', [1], 1],
  ]);
});

test('whoever was refused the value has not seen it', async () => {
  let now = Date.now();
  team = await teamVault([environment], { now: () => new Date(now) });
  await asOwner(team, async (owner) => {
    const metadata = { expires: new Date(now + 60_000) };
    await put(owner, 'a', 'one', { environment, metadata });
    now += 120_000;
    expect((await failureOf(getIn(owner, environment, 'a'))).code).toBe('SECRET_EXPIRED');
  });
  expect(brief(await saw('a'))).toEqual([['owner', 'brought', [1], 1]]);
});

test('what somebody who may only read makes up hides nothing: a rename, a new secret, a write that did not happen', async () => {
  const { token, hash } = await asOwner(team, async (owner) => {
    await put(owner, 'a', 'one', { environment });
    await put(owner, 'a', 'two', { environment });
    const ci = await add(owner, 'ci', { can: 'read', env: environment });
    return { token: ci, hash: records(team.place).findLast(({ op }) => op === 'put')?.secrets[0] };
  });
  const [where = '', name = ''] = hash ?? [];
  const other = 'A'.repeat(43);
  const state = (): string => {
    const { from, to } = records(team.place).at(-1) ?? { from: '', to: '' };
    return to === '' ? from : to;
  };
  const old: [string, string, number] = [where, other, 0];
  const own: [string, string, number] = [where, name, 0];
  const made = [
    { op: 'mv', secrets: [old, own] },
    { op: 'mv', secrets: [own, old] },
    { op: 'put', secrets: [[where, name, 1]] as [string, string, number][] },
    { op: 'aborted', secrets: [], detail: '4' },
  ];
  // It says that it made the vault what it was already, or what it never was.
  const claims = [
    () => ({ from: state(), to: state() }),
    () => ({ from: other, to: state() }),
    () => ({ from: state(), to: other }),
  ];
  for (const forged of made)
    for (const claim of claims) {
      await as(team.place, token, async (ci) => {
        const last = readFileSync(team.place.audit.path, 'utf8').trimEnd().split('\n').at(-1) ?? '';
        const { sig: _, ...rest } = records(team.place).at(-1) ?? ({} as SignedRecord);
        const { domain } = ci.authority;
        const line = await makeRecord(domain, ci.identity.signing, {
          ...rest,
          detail: '',
          ...forged,
          ...claim(),
          seq: rest.seq + 1,
          principal: ci.identity.principal,
          ok: true,
          code: '',
          prev: await recordDigest(domain, Uint8Array.from(Buffer.from(last))),
        });
        appendFileSync(team.place.audit.path, `${Buffer.from(line.raw).toString('utf8')}\n`);
      });
      // Whoever comes next finds the vault as it was.
      await asOwner(team, async (owner) => getIn(owner, environment, 'a'));
      const found = brief(await saw('a')).filter((one) => (one as string[])[1] === 'brought');
      expect([forged, found]).toEqual([forged, [['owner', 'brought', [1, 2], 2]]]);
    }
});

test('people, places, programs and jobs are told apart; who was removed keeps a name', async () => {
  const token = await asOwner(team, async (owner) => {
    await put(owner, 'a', 'one', { environment });
    return add(owner, 'ci', { can: 'read', env: environment });
  });
  const { place } = team;
  for (const context of [
    { ...place.context, session: 'CI_JOB_ID=1' },
    { ...place.context, session: 'CI_JOB_ID=2' },
    { ...place.context, session: 'CI_JOB_ID=1' },
    { ...place.context, host: 'another' },
  ])
    await as({ ...place, context }, token, async (ci) => getIn(ci, environment, 'a'));
  await asOwner(team, async (owner) => remove(owner, 'ci'));
  const all = await saw('a');
  expect(
    all.map(({ principal, context, times }) => [principal, context.host, context.session, times]),
  ).toEqual([
    ['ci', 'another', '', 1],
    ['ci', place.context.host, 'CI_JOB_ID=1', 2],
    ['ci', place.context.host, 'CI_JOB_ID=2', 1],
    ['owner', place.context.host, '', 1],
  ]);
});

test('somebody without access to the environment is told so', async () => {
  const token = await asOwner(team, async (owner) => {
    await put(owner, 'a', 'one', { environment });
    return add(owner, 'ci', { can: 'read', env: 'production' });
  });
  await as(team.place, token, async (ci) => {
    const ask = async (where: string | null): Promise<Sighting[]> =>
      ci.read('audit-who-saw', async (scope) =>
        whoSaw(scope, ci.place, { environment: where, name: 'a', version: null }),
      );
    expect((await failureOf(ask(environment))).code).toBe('ACCESS_DENIED');
    expect(await ask(null)).toEqual([]);
  });
});

describe('of a pruned log', () => {
  let old: OldLog;

  beforeEach(async () => {
    old = await oldLog();
  });

  test('what is left is told', async () => {
    const before = await saw('db', old.team);
    await asOwner(old.team, async (owner) => prune(owner, { before: after(old.team.place, 20) }));
    const left = await saw('db', old.team);
    const total = (all: readonly Sighting[]): number => all.reduce((sum, { times }) => sum + times, 0);
    expect(total(left)).toBeGreaterThan(3);
    expect(total(left)).toBeLessThan(total(before));
  });
});
