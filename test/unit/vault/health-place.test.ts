/** What `doctor` finds of files, keys and people: each finding made to appear, and to go. docs/health.md. */
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultArgon2, defaultPbkdf2, type KdfParameters } from '../../../src/crypto/kdf.ts';
import { ConcurrencyError } from '../../../src/errors.ts';
import { realFileSystem, type FileSystem } from '../../../src/storage/file-system.ts';
import { createVault } from '../../../src/vault/create.ts';
import type { Place } from '../../../src/vault/place.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { cheapKdf, placeIn, samplePassphrase } from '../../support/sample-vault.ts';
import { begun, day, examine, ExaminedVault, foundIn, strong } from '../../support/examined.ts';
import { Forgery } from '../../support/forgery.ts';
import { add, asOwner, openPassphrase, remove } from '../../support/team.ts';

let vault: ExaminedVault;
let folder: string;

beforeEach(async () => {
  vault = await ExaminedVault.make();
  folder = path.dirname(vault.place.path);
});

/** The place with something else in it, looked at from the same vault. */
const foundAt = async (changes: Partial<Place>) =>
  foundIn(await vault.examine({}, { ...vault.place, ...changes }));

/** The file system with other facts of one path. */
function facts(of: string, changes: Readonly<Record<string, unknown>>): FileSystem {
  const lstatSync = ((at: string, options?: object) => {
    const stat = realFileSystem.lstatSync(at, options);
    return at === of ? Object.assign(stat, changes) : stat;
  }) as FileSystem['lstatSync'];
  return { ...realFileSystem, lstatSync };
}

describe('permissions', () => {
  test('of vault, log and state folder', async () => {
    const { path: file, audit, stateFolder } = vault.place;
    chmodSync(file, 0o640);
    expect(await vault.found()).toEqual({ 'readable-by-others': [file] });
    chmodSync(audit.path, 0o644);
    expect(await vault.found()).toEqual({ 'readable-by-others': [file, audit.path] });
    chmodSync(file, 0o620);
    chmodSync(audit.path, 0o602);
    chmodSync(stateFolder ?? '', 0o770);
    expect(await vault.found()).toEqual({ 'file-writable-by-others': [file, audit.path, stateFolder] });
    chmodSync(file, 0o600);
    chmodSync(audit.path, 0o400);
    chmodSync(stateFolder ?? '', 0o755);
    chmodSync(audit.path, 0o600);
    expect(await vault.found()).toEqual({});
  });

  test('of the folder; one like /tmp is no finding', async () => {
    chmodSync(folder, 0o770);
    expect(await vault.found()).toEqual({ 'folder-writable-by-group': [folder] });
    chmodSync(folder, 0o777);
    expect(await vault.found()).toEqual({ 'folder-writable-by-others': [folder] });
    chmodSync(folder, 0o1777);
    expect(await vault.found()).toEqual({});
    chmodSync(folder, 0o755);
    expect(await vault.found()).toEqual({});
  });

  test('of any folder that it is in, and of those that links lead through', async () => {
    const outer = path.join(folder, 'outer');
    const inner = path.join(outer, 'inner', 'vaults');
    mkdirSync(inner, { recursive: true, mode: 0o755 });
    const file = path.join(inner, 'a.vault');
    const audit = { ...vault.place.audit, path: path.join(inner, 'a.log') };
    const at = async (named: string): Promise<unknown> =>
      (await foundAt({ path: named, audit }))['folder-writable-by-others'];
    expect(await at(file)).toBeUndefined();
    chmodSync(outer, 0o777);
    expect(await at(file)).toEqual([realpathSync(outer)]);
    chmodSync(outer, 0o1777);
    expect(await at(file)).toBeUndefined();
    chmodSync(outer, 0o755);
    const elsewhere = path.join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    chmodSync(elsewhere, 0o777);
    symlinkSync(inner, path.join(elsewhere, 'link'));
    expect(await at(path.join(elsewhere, 'link', 'a.vault'))).toEqual([realpathSync(elsewhere)]);
    chmodSync(elsewhere, 0o755);
    expect(await at(path.join(elsewhere, 'link', 'a.vault'))).toBeUndefined();
  });

  test('of files that credentials are read from', async () => {
    const secret = path.join(folder, 'passphrase');
    const link = path.join(folder, 'link');
    writeFileSync(secret, 'x', { mode: 0o600 });
    symlinkSync(secret, link);
    const credentialFiles = [secret, link, secret, '/dev/null', path.join(folder, 'missing'), folder];
    expect(await vault.found({ credentialFiles })).toEqual({});
    for (const mode of [0o640, 0o604, 0o620, 0o666]) {
      chmodSync(secret, mode);
      expect(await vault.found({ credentialFiles })).toEqual({
        'credential-readable-by-others': [secret, link],
      });
    }
    expect(await vault.found()).toEqual({});
  });

  test('a git work tree is named', async () => {
    chmodSync(vault.place.path, 0o644);
    const message = async (): Promise<unknown> =>
      (await vault.examine()).findings.find(({ id }) => id === 'readable-by-others')?.message;
    expect(await message()).not.toContain('git');
    mkdirSync(path.join(folder, '.git'));
    expect(await message()).toContain('git work tree');
  });

  test('somebody else as owner, who is not root', async () => {
    const { path: file } = vault.place;
    expect(await foundAt({ fs: facts(file, { uid: 54_321 }) })).toEqual({ 'other-owner': [file] });
    vi.spyOn(process, 'getuid').mockReturnValue(12_345);
    const found = await foundAt({ fs: facts(file, { uid: 0 }) });
    vi.restoreAllMocks();
    expect(found['other-owner'] ?? []).not.toContain(file);
  });
});

describe('the place', () => {
  test('what a killed writer left', async () => {
    const left = `${vault.place.path}.new`;
    writeFileSync(left, '');
    expect(await vault.found()).toEqual({ 'temporary-file': [left] });
    rmSync(left);
    expect(await vault.found()).toEqual({});
  });

  test('a lock that somebody holds, and who; then a temporary file is theirs', async () => {
    const { path: file } = vault.place;
    writeFileSync(`${file}.new`, '');
    writeFileSync(`${file}.lock-holder`, 'process 12 of eve on mars'.padEnd(256));
    const acquireLock = async () => Promise.reject(new ConcurrencyError('held', {}, 'LOCK_HELD'));
    const { findings } = await vault.examine({}, { ...vault.place, acquireLock });
    expect(findings).toContainEqual(
      expect.objectContaining({
        id: 'lock-held',
        message: expect.stringMatching(
          /^the vault is locked by process 12 of eve on mars since \d{4}-/u,
        ) as string,
      }),
    );
    expect(findings.map(({ id }) => id)).not.toContain('temporary-file');
  });

  test('a machine that cannot remember', async () => {
    expect(await foundAt({ stateFolder: null })).toEqual({ 'no-memory': [] });
    const blocked = path.join(folder, 'blocked');
    writeFileSync(blocked, '');
    expect(await foundAt({ stateFolder: path.join(blocked, 'state') })).toEqual({
      'no-memory': [path.join(blocked, 'state')],
    });
    const fresh = path.join(folder, 'fresh');
    expect(await foundAt({ stateFolder: fresh })).toEqual({});
  });

  test('a clock that is behind', async () => {
    vault.day = 10;
    await vault.put('a', strong(1));
    vault.day = 10 - 4 / 1_440;
    expect(await vault.found()).toEqual({});
    vault.day = 10 - 6 / 1_440;
    expect(await vault.found()).toEqual({ 'clock-behind': [] });
  });

  test('sizes', async () => {
    const { path: log } = vault.place.audit;
    const large = facts(log, { size: 300 * 1024 ** 2 });
    expect(await foundAt({ fs: large })).toEqual({ 'log-large': [log], 'log-not-proven': [log] });
    expect(await foundAt({ fs: facts(log, { size: 20 * 1024 ** 2 }) })).toEqual({ 'log-not-proven': [log] });
  });

  test('a log that does not hold, and the rest is told all the same', async () => {
    await vault.put('a', 'hunter2', { type: 'password' });
    await vault.put('b', strong(1));
    const { path: log } = vault.place.audit;
    const change = (from: string, to: string): void => {
      writeFileSync(log, readFileSync(log, 'utf8').replace(from, to));
    };
    change('"user":"ada"', '"user":"eve"');
    expect(await vault.found()).toEqual({ 'audit-log-damaged': [log], 'weak-value': ['a'] });
    vault.day = 100;
    change('{"log"', '{"gol"');
    expect(await vault.found()).toMatchObject({ 'audit-log-damaged': [log], 'weak-value': ['a'] });
  });

  test('a log that was cut cannot be recorded in, and so nothing is done', async () => {
    await vault.put('a', strong(1));
    truncateSync(vault.place.audit.path, readFileSync(vault.place.audit.path, 'utf8').indexOf('\n') + 1);
    await expect(vault.examine()).rejects.toMatchObject({ exitCode: 7 });
  });

  test('a passphrase in the environment of the process', async () => {
    expect(await vault.found({ passphraseInEnvironment: true })).toEqual({ 'passphrase-in-environment': [] });
  });
});

describe('people and keys', () => {
  test('access that has run out, and that will', async () => {
    await vault.owner(async (owner) =>
      add(owner, 'ci', { can: 'read', env: 'development' }, new Date(begun + 40 * day)),
    );
    expect(await vault.found()).toEqual({});
    vault.day = 10;
    expect(await vault.found()).toEqual({ 'access-expiring': ['ci'] });
    vault.day = 41;
    expect(await vault.found()).toEqual({ 'access-expired': ['ci'] });
  });

  test('a single administrator without a recovery key, until there is a second one', async () => {
    await withNew(defaultPbkdf2, async (owner) => {
      expect(foundIn(await examine(owner))).toEqual({ 'single-administrator': ['owner'] });
      await add(owner, 'ada', { can: 'admin' });
      expect(foundIn(await examine(owner))).toEqual({});
    });
  });

  test('the policy on keys and passphrases', async () => {
    await vault.policy('rekey.days', '30');
    await vault.policy('passphrase.days', '30');
    vault.day = 29;
    expect(await vault.found()).toEqual({});
    vault.day = 31;
    const { findings } = await vault.examine();
    expect(findings.filter(({ id }) => id === 'rekey-due').map(({ environment }) => environment)).toEqual([
      'development',
      'staging',
      'production',
    ]);
    const owner = await openPassphrase(vault.place, samplePassphrase, 'owner');
    expect(foundIn(await examine(owner))).toHaveProperty('credential-due');
    owner.close();
  });

  test('somebody without anything to unlock with', async () => {
    await vault.owner(async (owner) => {
      await add(owner, 'ci', { can: 'read', env: 'development' });
      const { principal, signing } = owner.identity;
      const forgery = Forgery.read(vault.place.path);
      const id = [...owner.authority.principals].find(({ name }) => name === 'ci')?.id;
      for (const slot of forgery.all('slot')) if (slot.principal === id) forgery.remove(slot);
      await forgery.write(vault.place.path, { principal, signing });
    });
    const place = { ...vault.place, stateFolder: null };
    const found = await asOwner({ ...vault.sample, place }, examine);
    expect(foundIn(found)).toEqual({ 'no-credential': ['ci'], 'no-memory': [] });
  });

  test('tokens that a former administrator may know', async () => {
    await vault.owner(async (owner) => {
      await add(owner, 'ci', { can: 'read', env: 'development' });
      await add(owner, 'eve', { can: 'admin' });
      await remove(owner, 'eve');
    });
    expect(await vault.found()).toEqual({ 'keys-due': ['ci'] });
  });

  test.each<[string, KdfParameters, string[]]>([
    ['the default', defaultArgon2, []],
    [
      'the least that is recommended',
      { name: 'argon2id', memoryKiB: 19_456, passes: 2, lanes: 1 },
      ['kdf-below-default'],
    ],
    ['less memory', { name: 'argon2id', memoryKiB: 8_192, passes: 3, lanes: 1 }, ['kdf-weak']],
    ['one pass', { name: 'argon2id', memoryKiB: 262_144, passes: 1, lanes: 1 }, ['kdf-weak']],
    ['PBKDF2 as it should be', defaultPbkdf2, []],
    ['PBKDF2 with less', cheapKdf, ['kdf-weak']],
  ])('how a passphrase is stretched: %s', async (_, kdf, ids) => {
    await withNew(kdf, async (owner) => {
      const { findings } = await examine(owner);
      expect(findings.map(({ id }) => id).filter((id) => id.startsWith('kdf'))).toEqual(ids);
    });
  });
});

/** A new vault with a passphrase and nothing else, opened by it. */
async function withNew(kdf: KdfParameters, work: (owner: Vault) => Promise<void>): Promise<void> {
  const own = path.join(folder, 'new');
  mkdirSync(own, { mode: 0o700 });
  const place = placeIn(own, { stateFolder: path.join(own, 'state'), kdfEngine: 'wasm' });
  const credential = { type: 'passphrase', passphrase: samplePassphrase } as const;
  await createVault(place, { credential, kdf, environments: ['development'], recovery: false });
  const owner = await openPassphrase(place, samplePassphrase, 'owner');
  try {
    await work(owner);
  } finally {
    owner.close();
  }
}
