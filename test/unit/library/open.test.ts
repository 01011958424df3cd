/** Opening a vault from a program: with which credential, where it is, what is refused. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { UsageError, Vault, type OpenOptions } from '../../../src/index.ts';
import { checkRuntime } from '../../../src/library/runtime.ts';
import { createVault } from '../../../src/vault/create.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { libraryVault, openLibrary, store } from '../../support/library-vault.ts';
import { cheapKdf, makeVault, placeIn, samplePassphrase } from '../../support/sample-vault.ts';
import { add, asOwner } from '../../support/team.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Options of a program that has no types. */
const untyped = (options: unknown): OpenOptions => options as OpenOptions;

describe('a credential', () => {
  it('opens: a token, a passphrase, a recovery key', async () => {
    const sample = await libraryVault();
    await store(sample, 'a', 'value');
    const { token, recoveryKey } = sample;
    for (const credential of [{ token }, { passphrase: samplePassphrase }, { recoveryKey }]) {
      const vault = await Vault.open({ path: sample.place.path, stateFolder: null, ...credential });
      expect((await vault.getSecret('a')).text()).toBe('value');
      await vault.close();
    }
  });

  it('is a passphrase and a key file, whose bytes stay as they are', async () => {
    const place = placeIn(temporaryFolder());
    const keyFile = Uint8Array.from({ length: 32 }, (_, index) => index + 1);
    const credential = { type: 'passphrase', passphrase: samplePassphrase, keyFile } as const;
    await createVault(place, { credential, kdf: cheapKdf, environments: ['development'], recovery: false });
    const options = { path: place.path, stateFolder: null, passphrase: samplePassphrase };
    const vault = await Vault.open({ ...options, keyFile });
    expect(await vault.listSecrets()).toEqual([]);
    await vault.close();
    expect(keyFile[31]).toBe(32);
    keyFile[31] = 0;
    expect(await failureOf(Vault.open({ ...options, keyFile }))).toMatchObject({ code: 'UNLOCK_FAILED' });
    expect(await failureOf(Vault.open(options))).toMatchObject({ code: 'UNLOCK_FAILED' });
  });

  it('that is wrong is tried once, and recorded', async () => {
    const { place } = await makeVault(placeIn(temporaryFolder()));
    const before = records({ audit: place.audit }).length;
    const wrong = { path: place.path, stateFolder: null, passphrase: 'not the canary passphrase' };
    const failure = await failureOf(Vault.open(wrong));
    expect(failure).toMatchObject({ name: 'UnlockError', code: 'UNLOCK_FAILED', exitCode: 4 });
    expect(JSON.stringify([failure.message, failure.hint])).not.toContain('canary');
    const added = records({ audit: place.audit }).slice(before);
    expect(added).toMatchObject([{ op: 'unlock', ok: false }]);
  });

  it('of several people needs a name', async () => {
    const sample = await libraryVault();
    await asOwner(sample, async (owner) => add(owner, 'ci', { can: 'read', env: 'production' }));
    const options = { path: sample.place.path, stateFolder: null, token: sample.token };
    expect(await failureOf(Vault.open({ ...options, principal: 'ci' }))).toMatchObject({ code: 'USAGE' });
    await (await Vault.open({ ...options, principal: 'owner' })).close();
  });

  it.each([
    ['none', {}, 'UNLOCK_FAILED'],
    ['one that is undefined, as a variable that is not set', { token: undefined }, 'UNLOCK_FAILED'],
    ['an empty token', { token: '' }, 'UNLOCK_FAILED'],
    ['a token that is cut', { token: 'vlt1_abcdef' }, 'UNLOCK_FAILED'],
    ['what is no recovery key', { recoveryKey: 'canary' }, 'UNLOCK_FAILED'],
    ['a recovery key that is cut', { recoveryKey: 'VRK1-ABCDEF' }, 'UNLOCK_FAILED'],
    ['two', { passphrase: 'a', recoveryKey: 'b' }, 'USAGE'],
    ['an empty passphrase', { passphrase: '' }, 'UNLOCK_FAILED'],
    ['a key file alone', { keyFile: new Uint8Array(32) }, 'UNLOCK_FAILED'],
    ['a key file with a token', { token: 'vlt1_a', keyFile: new Uint8Array(32) }, 'USAGE'],
  ])('is missing or bad: %s', async (_, credential, code) => {
    const { place } = await makeVault(placeIn(temporaryFolder()));
    const failure = await failureOf(Vault.open({ path: place.path, stateFolder: null, ...credential }));
    expect(failure.code).toBe(code);
    expect(failure.message + failure.hint).not.toMatch(/canary|abcdef/iu);
  });
});

describe('the vault', () => {
  it('is a file, or a folder with secrets.vault in it, relative to the working folder', async () => {
    const folder = temporaryFolder();
    mkdirSync(path.join(folder, '.vault'));
    const file = path.join(folder, '.vault', 'secrets.vault');
    const { recoveryKey } = await makeVault(placeIn(folder, { path: file }));
    vi.spyOn(process, 'cwd').mockReturnValue(folder);
    for (const named of [file, path.dirname(file), '.vault', '.vault/secrets.vault']) {
      const vault = await Vault.open({ path: named, recoveryKey, stateFolder: null });
      expect(vault.path).toBe(file);
      await vault.close();
    }
  });

  it('is behind a link of the same owner', async () => {
    const sample = await libraryVault();
    const link = path.join(path.dirname(sample.place.path), 'link.vault');
    symlinkSync(sample.place.path, link);
    const vault = await openLibrary(sample, { path: link });
    expect(vault.path).toBe(sample.place.path);
    await vault.close();
  });

  it('that is not there, or is none, says so', async () => {
    const folder = temporaryFolder();
    const options = { passphrase: 'x', stateFolder: null };
    const absent = await failureOf(Vault.open({ path: path.join(folder, 'absent.vault'), ...options }));
    expect(absent).toMatchObject({ name: 'SecretNotFoundError', code: 'VAULT_NOT_FOUND' });
    writeFileSync(path.join(folder, 'text.vault'), 'hello\n');
    const other = await failureOf(Vault.open({ path: path.join(folder, 'text.vault'), ...options }));
    expect(other).toMatchObject({ name: 'IntegrityError' });
  });

  it('that was rolled back is refused by a machine that remembers it', async () => {
    const sample = await libraryVault();
    const state = temporaryFolder();
    await store(sample, 'a', 'one');
    const old = readFileSync(sample.place.path);
    const later = await openLibrary(sample, { stateFolder: state });
    await later.rotateSecret('a', { value: 'two' });
    await later.close();
    writeFileSync(sample.place.path, old);
    const failure = await failureOf(openLibrary(sample, { stateFolder: state }));
    expect(failure).toMatchObject({ name: 'IntegrityError', code: 'ROLLBACK', exitCode: 7 });
  });
});

describe('options that no type has checked', () => {
  it.each([
    ['nothing', undefined],
    ['text', '/a/vault'],
    ['a list', []],
    ['no path', { passphrase: 'x' }],
    ['a path that is none', { path: 7, passphrase: 'x' }],
    ['an empty path', { path: '', passphrase: 'x' }],
    ['an option that there is not', { path: 'x', passphrase: 'x', enviroment: 'production' }],
    ['an inherited name', { path: 'x', passphrase: 'x', constructor: 'x' }],
    ['a token that is bytes', { path: 'x', token: new Uint8Array(3) }],
    ['a key file that is text', { path: 'x', passphrase: 'x', keyFile: 'x' }],
    ['an engine that there is not', { path: 'x', passphrase: 'x', kdfEngine: 'fast' }],
    ['a listener that is none', { path: 'x', passphrase: 'x', onWarning: true }],
  ])('are refused: %s', async (_, options) => {
    const failure = await failureOf(Vault.open(untyped(options)));
    expect(failure).toBeInstanceOf(UsageError);
    expect(failure.code).toBe('USAGE');
  });

  it('are named, and their values are not', async () => {
    const failure = await failureOf(Vault.open(untyped({ path: 'x', passphrase: ['canary'] })));
    expect(failure.message).toBe('option passphrase of open is text');
    const unknown = await failureOf(Vault.open(untyped({ path: 'x', pass: 'canary' })));
    expect(unknown.message).toBe('open has no option "pass"');
    expect(unknown.hint).toContain('passphrase');
  });
});

describe('the state folder', () => {
  it('is the one of the command line where none is given', async () => {
    const sample = await libraryVault();
    await store(sample, 'a', 'one');
    const state = mkdtempSync(path.join(temporaryFolder(), 'xdg-'));
    vi.stubEnv('XDG_STATE_HOME', state);
    try {
      const vault = await Vault.open({ path: sample.place.path, token: sample.token });
      await vault.rotateSecret('a', { value: 'two' });
      await vault.close();
    } finally {
      vi.unstubAllEnvs();
    }
    expect(readdirSync(path.join(state, 'vault'), { recursive: true }).length).toBeGreaterThan(0);
  });

  it('that cannot be written is warned of, and the change stands', async () => {
    const sample = await libraryVault();
    await store(sample, 'a', 'one');
    const file = path.join(temporaryFolder(), 'a-file');
    writeFileSync(file, '');
    const warnings: string[] = [];
    const onWarning = (message: string): void => void warnings.push(message);
    const vault = await openLibrary(sample, { stateFolder: path.join(file, 'state'), onWarning });
    await vault.rotateSecret('a', { value: 'two' });
    await vault.close();
    const expected = 'this machine could not remember the new state: a rollback would go unnoticed';
    expect(warnings).toEqual([expected]);
    const emitted = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const other = await openLibrary(sample, { stateFolder: path.join(file, 'state') });
    await other.rotateSecret('a', { value: 'three' });
    expect((await other.getSecret('a')).info.version).toBe(3);
    await other.close();
    expect(emitted.mock.calls).toContainEqual([expected, 'VaultWarning']);
  });
});

describe('the runtime', () => {
  it.each(['20.20.2', '24.21.0', '25.9.0', '26.0.0', '26.9.0'])('is too old: Node %s', (version) => {
    expect(() => checkRuntime(version)).toThrow(`this is Node ${version}; a vault needs 26.10 or later`);
  });

  it.each(['26.10.0', '26.11.1', '27.0.0'])('is new enough: Node %s', (version) => {
    expect(() => checkRuntime(version)).not.toThrow();
  });
});
