/** `put`, `generate` and `rotate` with `--dry-run`: what would be done is told, nothing is done, and no value is shown. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';

const told = async (vault: BinaryVault, args: readonly string[], input?: string): Promise<string> => {
  const before = readFileSync(vault.file);
  const { stdout, stderr } = await vault.ok([...args, '--dry-run'], input === undefined ? {} : { input });
  expect(readFileSync(vault.file).equals(before), 'the vault is as it was').toBe(true);
  return `${stdout.toString()}${stderr}`;
};

describe('--dry-run', () => {
  scenario('tells the shape of what would be generated, not a value', async (vault) => {
    expect(await told(vault, ['generate', 'a', 'password:20:lud'])).toBe(
      'vault: "a" would be stored in development, version 1: 20 characters of lower case, upper case and digits, 119 random bits\n',
    );
    expect(await told(vault, ['put', 'a', '--generate', 'ed25519'])).toContain(
      'version 1: an Ed25519 private key in PEM\n',
    );
    expect(JSON.parse(await told(vault, ['generate', 'a', 'uuid', '--json']))).toEqual({
      name: 'a',
      environment: 'development',
      version: 1,
      created: true,
      revived: false,
      dryRun: true,
      generated: { form: 'a random UUID', bits: 122 },
    });
    await vault.fails(2, ['generate', 'a', 'password:20:xyz', '--dry-run']);
    await vault.fails(2, ['put', 'a', '--generate', 'hex:0', '--dry-run']);
  });

  scenario('of a rotation it knows where the value would come from, and runs nothing', async (vault) => {
    await vault.put('a', 'one');
    expect(await told(vault, ['rotate', 'a'])).toContain('version 2: 32 characters of');
    expect(await told(vault, ['rotate', 'a'], 'given')).toBe(
      'vault: the new value comes from standard input\nvault: "a" would be replaced in development, version 2\n',
    );
    expect(await told(vault, ['rotate', 'a', '--command', 'touch ran; echo x'])).toContain('version 2\n');
    await vault.ok([
      'hook',
      'set',
      'x',
      '--command',
      'touch ran',
      '--apply',
      'touch ran',
      '--check',
      'touch ran',
    ]);
    await vault.ok(['hook', 'use', 'x', 'a']);
    expect(await told(vault, ['rotate', 'a'])).toContain('version 2\nvault: apply and check would be run\n');
    expect(existsSync(vault.in('ran'))).toBe(false);
    await vault.put('tls', 'x', '--type', 'certificate');
    await vault.fails(2, ['rotate', 'tls', '--dry-run']);
    await vault.fails(3, ['rotate', 'nothing', '--dry-run']);
    await vault.fails(8, ['rotate', 'a', '--if-version', '7', '--dry-run']);
  });

  scenario('old values that are to be let go are named, and stay', async (vault) => {
    await vault.put('db', 'one');
    const steps = ['--apply', 'true', '--check', 'true'];
    await vault.ok(['hook', 'set', 'x', ...steps, '--retire', 'false']);
    await vault.ok(['hook', 'use', 'x', 'db']);
    // It fails, so the old value is owed from now on.
    await vault.fails(9, ['rotate', 'db']);
    await vault.ok(['hook', 'set', 'x', ...steps, '--retire', 'touch gone']);
    expect(await told(vault, ['rotate', 'db'])).toContain(
      'the value before the present one would be let go first',
    );
    expect(await told(vault, ['rotate', '--due'])).toContain(
      'the value before version 2 of "db" in development would be let go',
    );
    expect(await vault.json(['rotate', '--due', '--dry-run'])).toEqual({
      dryRun: true,
      results: [],
      retired: [{ name: 'db', environment: 'development', version: 2 }],
    });
    expect(existsSync(vault.in('gone'))).toBe(false);
    expect(await vault.json(['rotate', '--due'])).toMatchObject({ results: [], retired: [{ name: 'db' }] });
    expect(existsSync(vault.in('gone'))).toBe(true);
    expect(await told(vault, ['rotate', '--due'])).not.toContain('let go');
    await vault.ok(['rotate', 'db', '--grace', '1h']);
    await vault.fails(8, ['rotate', 'db', '--dry-run']);
  });
});
