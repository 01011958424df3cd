/** Which of flag, variable, project and user decides. */
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { realFileSystem } from '../../../src/storage/file-system.ts';
import { Settings } from '../../../commands/settings.ts';
import { failureOf } from '../../support/failure.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

interface Layers {
  readonly flags?: object;
  readonly env?: Record<string, string>;
  readonly project?: unknown;
  readonly user?: unknown;
}

/** Settings in `project/sub` of a folder of their own, with the files given. */
function settingsOf(layers: Layers): { settings: Settings; folder: string } {
  const folder = temporaryFolder();
  const cwd = path.join(folder, 'project', 'sub');
  const config = path.join(folder, 'config', 'vault');
  for (const made of [cwd, config]) mkdirSync(made, { recursive: true });
  const write = (file: string, value: unknown): void => {
    if (value !== undefined) writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  };
  write(path.join(folder, 'project', 'vault.json'), layers.project);
  write(path.join(config, 'config.json'), layers.user);
  const env = {
    HOME: folder,
    XDG_CONFIG_HOME: path.join(folder, 'config'),
    XDG_STATE_HOME: path.join(folder, 'state'),
    ...layers.env,
  };
  return { settings: new Settings(layers.flags ?? {}, { env, cwd, fs: realFileSystem }), folder };
}

const layersOf = (bits: number, all: Required<Layers>): Layers => ({
  ...((bits & 8) === 0 ? {} : { flags: all.flags }),
  ...((bits & 4) === 0 ? {} : { env: all.env }),
  ...((bits & 2) === 0 ? {} : { project: all.project }),
  ...((bits & 1) === 0 ? {} : { user: all.user }),
});

describe('environment', () => {
  const all = {
    flags: { env: 'flag' },
    env: { VAULT_ENVIRONMENT: 'variable' },
    project: { environment: 'project' },
    user: { environment: 'user' },
  };
  // Every combination; the greatest bit decides.
  it.each(Array.from({ length: 16 }, (_, bits) => bits))('of the strongest of %i', (bits) => {
    const { settings } = settingsOf(layersOf(bits, all));
    const wanted =
      bits >= 8 ? 'flag' : bits >= 4 ? 'variable' : bits >= 2 ? 'project' : bits === 1 ? 'user' : null;
    expect(settings.environment).toBe(wanted);
  });

  it('of a flag or variable asks no file', () => {
    for (const layers of [{ flags: { env: 'x' } }, { env: { VAULT_ENVIRONMENT: 'x' } }])
      expect(settingsOf({ ...layers, project: 'nonsense', user: 'nonsense' }).settings.environment).toBe('x');
  });

  it('of the project asks not the user’s file', () => {
    expect(settingsOf({ project: { environment: 'x' }, user: 'nonsense' }).settings.environment).toBe('x');
  });

  it('is refused where the file that has to say it is bad', () => {
    expect(() => settingsOf({ project: 'nonsense' }).settings.environment).toThrow(/vault\.json, line 1/u);
    expect(() => settingsOf({ user: 'nonsense' }).settings.environment).toThrow(/config\.json, line 1/u);
  });
});

describe('principal', () => {
  const user = { principal: 'user' };

  it('is the flag’s, the variable’s, the user’s', () => {
    const flags = { as: 'flag' };
    const env = { VAULT_PRINCIPAL: 'variable' };
    expect(settingsOf({ flags, env, user }).settings.principal).toBe('flag');
    expect(settingsOf({ env, user }).settings.principal).toBe('variable');
    expect(settingsOf({ user }).settings.principal).toBe('user');
    expect(settingsOf({}).settings.principal).toBeNull();
  });

  it('of the user’s file gives way to a token, which says it', () => {
    for (const name of ['VAULT_ACCESS_TOKEN', 'VAULT_ACCESS_TOKEN_FILE'])
      expect(settingsOf({ env: { [name]: 'x' }, user }).settings.principal).toBeNull();
  });
});

describe('kdfEngine', () => {
  it('is the variable’s, the user’s, wasm', () => {
    const user = { kdfEngine: 'native' };
    expect(settingsOf({ env: { VAULT_KDF_ENGINE: 'wasm' }, user }).settings.kdfEngine).toBe('wasm');
    expect(settingsOf({ user }).settings.kdfEngine).toBe('native');
    expect(settingsOf({}).settings.kdfEngine).toBe('wasm');
    expect(() => settingsOf({ env: { VAULT_KDF_ENGINE: 'x' }, user }).settings.kdfEngine).toThrow(
      /wasm or native/u,
    );
  });
});

describe('the vault', () => {
  const project = { vault: '../team.vault' };
  const hash = createHash('sha256').update(JSON.stringify(project)).digest('hex');
  const nobody = (): boolean => false;

  it('is the flag’s, the variable’s, the trusted project’s', async () => {
    const flags = { vault: 'flag' };
    const env = { VAULT_PATH: 'variable' };
    expect(await settingsOf({ flags, env, project }).settings.vault(nobody)).toBe('flag');
    expect(await settingsOf({ env, project }).settings.vault(nobody)).toBe('variable');
    for (const spelled of [hash, hash.toUpperCase()]) {
      const { settings, folder } = settingsOf({ env: { VAULT_TRUST_PROJECT: spelled }, project });
      expect(await settings.vault(nobody)).toBe(path.join(folder, 'team.vault'));
    }
    expect(await settingsOf({ user: { vault: '/user' } }).settings.vault(nobody)).toBeNull();
    expect(await settingsOf({ project: { environment: 'x' } }).settings.vault(nobody)).toBeNull();
  });

  it.each(['', '0'.repeat(64), hash.slice(1), `${hash} `, `sha256:${hash}`])(
    'of a project is refused with %j for its hash',
    async (spelled) => {
      const { settings } = settingsOf({ env: { VAULT_TRUST_PROJECT: spelled }, project });
      expect(await failureOf(settings.vault(nobody))).toMatchObject({
        code: 'UNTRUSTED_PROJECT',
        exitCode: 5,
      });
    },
  );

  it('of a project is refused with a hint for who is there', async () => {
    const { settings } = settingsOf({ project });
    expect((await failureOf(settings.vault(nobody))).hint).toContain('VAULT_TRUST_PROJECT');
    const hint = (await failureOf(settings.vault(() => true))).hint;
    expect(hint).toContain('vault trust');
    expect(hint).not.toContain('VAULT_TRUST_PROJECT');
  });

  it('of a project is taken once these very bytes were accepted at this very path', async () => {
    const { settings, folder } = settingsOf({ project });
    const file = path.join(folder, 'project', 'vault.json');
    const accepted = '2026-01-01T00:00:00.000Z';
    await settings.trustStore.accept({ path: `${file}x`, sha256: hash, accepted });
    expect(await failureOf(settings.vault(nobody))).toMatchObject({ code: 'UNTRUSTED_PROJECT' });
    await settings.trustStore.accept({ path: file, sha256: '0'.repeat(64), accepted });
    expect((await failureOf(settings.vault(nobody))).message).toContain('has changed since');
    await settings.trustStore.accept({ path: file, sha256: hash, accepted });
    expect(await settings.vault(nobody)).toBe(path.join(folder, 'team.vault'));
  });

  it('of the user is absolute, or below the home folder', () => {
    expect(settingsOf({ user: { vault: '/x/y' } }).settings.userVault).toBe('/x/y');
    const { settings, folder } = settingsOf({ user: { vault: '~/x/y' } });
    expect(settings.userVault).toBe(path.join(folder, 'x/y'));
    expect(settingsOf({}).settings.userVault).toBeNull();
  });
});

describe('the user’s file', () => {
  it('may be a link, as people keep their settings', () => {
    const { settings, folder } = settingsOf({});
    const elsewhere = path.join(folder, 'dotfiles.json');
    writeFileSync(elsewhere, '{"environment":"linked"}');
    symlinkSync(elsewhere, path.join(folder, 'config', 'vault', 'config.json'));
    expect(settings.environment).toBe('linked');
  });

  it('that is a link to nothing is none', () => {
    const { settings, folder } = settingsOf({});
    symlinkSync('/nowhere', path.join(folder, 'config', 'vault', 'config.json'));
    expect(settings.environment).toBeNull();
  });

  it('must be a file', () => {
    const { settings, folder } = settingsOf({});
    mkdirSync(path.join(folder, 'config', 'vault', 'config.json'));
    expect(() => settings.environment).toThrow(/not a regular file/u);
  });
});
