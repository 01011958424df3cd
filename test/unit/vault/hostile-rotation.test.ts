/** Rotations that somebody gets in the way of: by rights that are taken meanwhile, by commands of others, by lines of their own making. */
import { beforeEach, describe, expect, test } from 'vitest';
import { cpSync } from 'node:fs';
import path from 'node:path';
import { encodeBase64url, utf8 } from '../../../src/crypto/bytes.ts';
import { runHook } from '../../../src/exec/hook.ts';
import type { ChangesLine, ValueLine } from '../../../src/format/lines.ts';
import { getSecret } from '../../../src/vault/operations/get.ts';
import { showSecret } from '../../../src/vault/operations/history.ts';
import { purgeSecret, removeSecret, renameSecret } from '../../../src/vault/operations/move.ts';
import { offboardStatus } from '../../../src/vault/operations/offboard.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { putSecret } from '../../../src/vault/operations/put.ts';
import { settleRotation, stageRotation } from '../../../src/vault/operations/rotation.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery, type Open, type Signer } from '../../support/forgery.ts';
import { placeIn, put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, remove, revoke, teamVault } from '../../support/team.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const environment = 'production';
const minute = 60_000;

let team: SampleVault;
let tokens: Record<'rotator' | 'mallory' | 'both' | 'writer' | 'reader' | 'blind', string>;
/** Milliseconds by which the machine’s clock is ahead. */
let ahead: number;

beforeEach(async () => {
  ahead = 0;
  team = await teamVault(['staging', environment], { now: () => new Date(Date.now() + ahead) });
  tokens = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one', { environment });
    await put(owner, 'cache', 'one', { environment });
    const may = async (name: string, can: string): Promise<string> =>
      add(owner, name, { can, env: environment });
    return {
      rotator: await may('rotator', 'rotate,read'),
      mallory: await may('mallory', 'rotate'),
      both: await may('both', 'rotate,delete,read'),
      writer: await may('writer', 'read,write,delete'),
      reader: await may('reader', 'read'),
      blind: await may('blind', 'list,write'),
    };
  });
});

const by = async <T>(who: keyof typeof tokens, work: (vault: Vault) => Promise<T>): Promise<T> =>
  as(team.place, tokens[who], work);

const stage =
  (value: string) =>
  async (vault: Vault): Promise<number> =>
    vault.write('rotate-stage', async (scope) => {
      const options = { environment, name: 'db', value: utf8(value), ifVersion: null, graceUntil: null };
      return (await stageRotation(scope, options)).version;
    });

const settle =
  (version: number, state: 'live' | 'withdrawn') =>
  async (vault: Vault): Promise<unknown> =>
    vault.write('rotate', async (scope) =>
      settleRotation(scope, { environment, name: 'db', version }, state),
    );

const rotate =
  (name: string, value: string) =>
  async (vault: Vault): Promise<unknown> =>
    vault.write('rotate', async (scope) =>
      putSecret(scope, { environment, name, value: utf8(value), operation: 'rotate', mustExist: true }),
    );

const read = async (vault: Vault, version: number | 'previous'): Promise<string> =>
  vault.read('get', async (scope) => {
    const options = { environment, name: 'db', version, field: null, allowExpired: true };
    const { value } = await getSecret(scope, options);
    const text = Buffer.from(value.bytes).toString();
    value.wipe();
    return text;
  });

const current = async (name = 'db'): Promise<string> =>
  by('reader', async (vault) => getIn(vault, environment, name));

const states = async (vault: Vault): Promise<string[]> =>
  vault.read('show', async (scope) =>
    (await showSecret(scope, environment, 'db')).versions.map(({ version, state }) => `${version} ${state}`),
  );

describe('what others do meanwhile', () => {
  test('somebody who saw the staged value and was removed: it becoming current is no new value', async () => {
    await by('rotator', stage('two'));
    expect(await by('reader', async (vault) => read(vault, 2))).toBe('two');
    ahead = minute;
    await asOwner(team, async (owner) => remove(owner, 'reader'));
    ahead = 2 * minute;
    await by('rotator', settle(2, 'live'));
    const { secrets } = await asOwner(team, async (owner) =>
      owner.read('offboard-status', async (scope) => offboardStatus(scope, 'reader')),
    );
    expect(secrets.map(({ name }) => name).toSorted()).toEqual(['cache', 'db']);
  });

  test('who may not rotate any more cannot end a rotation, and spoils nothing by trying', async () => {
    await by('both', stage('two'));
    await asOwner(team, async (owner) => revoke(owner, 'both', { can: 'rotate', env: environment }));
    expect((await failureOf(by('both', settle(2, 'withdrawn')))).exitCode).toBe(5);
    expect(await current()).toBe('one');
    expect(await asOwner(team, states)).toEqual(['1 live', '2 pending']);
  });

  test('rotations that failed do not push out the value before', async () => {
    await asOwner(team, async (owner) =>
      owner.write('policy-set', async (scope) =>
        Promise.resolve(setPolicy(scope, 'retention.versions', '3')),
      ),
    );
    for (const value of ['a', 'b', 'c'])
      await by('writer', async (vault) => settle(await stage(value)(vault), 'withdrawn')(vault));
    await by('writer', async (vault) => settle(await stage('good')(vault), 'live')(vault));
    expect(await by('reader', async (vault) => read(vault, 'previous'))).toBe('one');
  });

  test.each(['purge', 'rm', 'mv'] as const)(
    '%s waits until the rotation has ended: the value may be in use',
    async (command) => {
      await by('rotator', stage('two'));
      const work = {
        purge: async (vault: Vault) => vault.write('purge', async (s) => purgeSecret(s, environment, 'db')),
        rm: async (vault: Vault) => vault.write('rm', async (s) => removeSecret(s, environment, 'db')),
        mv: async (vault: Vault) => vault.write('mv', async (s) => renameSecret(s, environment, 'db', 'x')),
      }[command];
      expect((await failureOf(by('writer', async (vault) => work(vault)))).exitCode).toBe(8);
      expect(await by('writer', states)).toEqual(['1 live', '2 pending']);
      await by('rotator', settle(2, 'withdrawn'));
      await by('writer', async (vault) => work(vault));
    },
  );
});

describe('what somebody with the right to rotate makes up', () => {
  const signer = async (): Promise<Signer> =>
    by('mallory', async ({ identity }) =>
      Promise.resolve({ principal: identity.principal, signing: identity.signing }),
    );

  /** What mallory does in a copy. */
  async function inCopy(work: (vault: Vault) => Promise<unknown>): Promise<Forgery> {
    const folder = temporaryFolder();
    cpSync(path.dirname(team.place.path), folder, { recursive: true });
    const place = placeIn(folder, { stateFolder: `${folder}/other` });
    await as(place, tokens.mallory, work);
    return Forgery.read(place.path);
  }

  /** Her part of the copy put into the vault, each line changed. */
  async function inject(copy: Forgery, change: (line: Open<ValueLine>) => Promise<unknown>): Promise<void> {
    const own = await signer();
    const real = Forgery.read(team.place.path);
    const part = copy.all('changes').find(({ by: author }) => author === own.principal);
    if (part === undefined) throw new Error('nothing by her');
    const lines: string[] = [];
    for (const text of (copy.shards.get(part) ?? []).join('').trimEnd().split('\n')) {
      const line = JSON.parse(text) as Open<ValueLine>;
      await change(line);
      lines.push(`${JSON.stringify(line)}\n`);
    }
    const planted: Open<ChangesLine> = structuredClone(part);
    const order = real.one('header').principals.map(({ id }) => id);
    const earlier = real
      .all('changes')
      .findLast((other) => order.indexOf(other.by) < order.indexOf(planted.by));
    const values = real.all('values').find((one) => one.environment === planted.environment);
    const before = earlier ?? values;
    if (before === undefined) throw new Error('no values');
    real.head.splice(real.head.indexOf(before) + 1, 0, planted);
    real.shards.set(planted, [lines.join('')]);
    if (planted.time > real.snapshot.time) real.snapshot.time = planted.time;
    await real.signPart(planted, own);
    await real.write(team.place.path, own);
  }

  const idOf = async (who: 'rotator'): Promise<string> =>
    by(who, async ({ identity }) => Promise.resolve(identity.principal));

  test('a line in somebody else’s name: they do not build upon it, and lose nothing', async () => {
    const copy = await inCopy(rotate('db', 'evil'));
    const victim = await idOf('rotator');
    await by('rotator', rotate('cache', 'two'));
    await inject(copy, async (line) => {
      line.author = victim;
      line.state = 'withdrawn';
      return Promise.resolve();
    });
    expect((await failureOf(by('rotator', rotate('db', 'three')))).exitCode).toBe(7);
    await by('writer', async (vault) => put(vault, 'third', 'x', { environment }));
    expect([await current(), await current('cache')]).toEqual(['one', 'two']);
  });

  test('a conflict about one secret loses nothing that somebody else brought of another', async () => {
    const copy = await inCopy(rotate('db', 'evil'));
    await by('rotator', stage('mine'));
    await by('rotator', rotate('cache', 'two'));
    await inject(copy, async () => Promise.resolve());
    expect((await failureOf(current())).exitCode).toBe(7);
    await by('writer', async (vault) => put(vault, 'third', 'x', { environment }));
    expect(await current('cache')).toBe('two');
    // One of the two versions of "db" is there, whose it is cannot be told apart: both may rotate it.
    expect(await by('writer', states)).toHaveLength(2);
  });

  test('a conflict about one secret does not hold up new keys, nor lose another secret by them', async () => {
    const copy = await inCopy(rotate('db', 'evil'));
    await by('rotator', rotate('db', 'mine'));
    await by('rotator', rotate('cache', 'two'));
    await inject(copy, async () => Promise.resolve());
    await asOwner(team, async (owner) => remove(owner, 'reader'));
    expect(await by('writer', async (vault) => getIn(vault, environment, 'cache'))).toBe('two');
  });

  test('a line that is no line costs its signer the part, and nobody else anything', async () => {
    const copy = await inCopy(rotate('db', 'evil'));
    await by('rotator', rotate('db', 'mine'));
    await by('rotator', rotate('cache', 'two'));
    await inject(copy, async (line) => {
      // Found under one secret, and naming another one where a line of that one is looked for.
      const real = Forgery.read(team.place.path);
      const stored = real.all('values').flatMap((part) => (real.shards.get(part) ?? []).join('').split('\n'));
      const secrets = stored.flatMap((text) => /"secret":"([\w-]+)"/.exec(text)?.[1] ?? []);
      const cache = secrets.find((secret) => secret !== line.secret);
      expect(cache).toBeDefined();
      Object.assign(line, { x: { secret: cache } });
      return Promise.resolve();
    });
    await by('writer', async (vault) => put(vault, 'third', 'x', { environment }));
    expect([await current(), await current('cache')]).toEqual(['mine', 'two']);
  });

  test('a staged version that nobody can open keeps no administrator from removing people', async () => {
    const copy = await inCopy(stage('evil'));
    const own = await signer();
    await inject(copy, async (line) => {
      const ct = Uint8Array.from(Buffer.from(line.ct, 'base64url'));
      const last = ct.length - 1;
      ct[last] = (ct[last] ?? 0) ^ 1;
      line.ct = encodeBase64url(ct);
      await Forgery.read(team.place.path).sign(line, own);
    });
    // Somebody without the right to read folds it in unseen.
    await by('blind', async (vault) => put(vault, 'third', 'x', { environment }));
    await asOwner(team, async (owner) => remove(owner, 'reader'));
    await asOwner(team, async (owner) => remove(owner, 'mallory'));
    expect(await by('writer', async (vault) => getIn(vault, environment, 'db'))).toBe('one');
  });
});

test('a hook sees no value of a hook around it', async () => {
  let out = '';
  const value = Uint8Array.of(0, 1, 2, 3, 4);
  const outer = { ...process.env, VAULT_NEW_VALUE: 'outer', VAULT_OLD_VALUE: 'outer' };
  await runHook(
    'printf "[%s%s]" "$VAULT_OLD_VALUE" "$VAULT_NEW_VALUE"',
    { name: 'db', environment, old: null, value },
    {
      environment: outer,
      report: async (bytes) => {
        out += Buffer.from(bytes).toString();
        return Promise.resolve();
      },
      keeper: null,
    },
  );
  expect(out).toBe('[]');
});
