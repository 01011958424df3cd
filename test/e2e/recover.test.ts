/** The second reader, scripts/recover.py, which was written from docs/format.md alone, on vaults that the binary made. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BinaryVault, fastKdf, passphrase, runProgram, type Ended } from '../support/binary-vault.ts';
import { debianPackages } from '../support/debian-packages.ts';

const python = '/usr/bin/python3';
const recover = path.resolve(import.meta.dirname, '../../scripts/recover.py');
const missing = await debianPackages({
  'python3-cryptography': [python, '-c', 'import cryptography'],
  'python3-argon2': [python, '-c', 'import argon2'],
});

async function read(vault: BinaryVault, args: readonly string[], input = passphrase): Promise<Ended> {
  return runProgram(python, [recover, vault.file, ...args], {
    env: { PATH: process.env['PATH'] },
    cwd: vault.folder,
    input,
  });
}

describe.skipIf(missing !== null)(
  `scripts/recover.py${missing === null ? '' : ` (SKIPPED: ${missing})`}`,
  () => {
    let vault: BinaryVault;
    const binaryValue = Buffer.from([0, 255, 10, 13, 0]);

    beforeAll(async () => {
      vault = new BinaryVault();
      await vault.ok(['init', ...fastKdf, '--recovery-file', 'recovery-key']);
      await vault.put('db/password', 'first');
      await vault.put('db/password', 'second', '--description', 'the database', '--tag', 'team=core');
      await vault.put('__proto__', 'not a prototype');
      await vault.put('ключ 🔑', 'юникод');
      await vault.ok(['put', 'binary', '--exact'], { input: binaryValue });
      await vault.put('gone', 'removed');
      await vault.ok(['rm', 'gone']);
      await vault.put('purged', 'destroyed');
      await vault.ok(['rm', 'purged', '--purge', '--yes']);
      await vault.put('only/production', 'p', '-e', 'production');
    });

    it('checks everything and lists what is there', async () => {
      const { status, stdout, stderr } = await read(vault, ['--list', '--audit', vault.log]);
      expect(stderr).not.toContain('recover: ');
      expect(status).toBe(0);
      for (const name of ['db/password', '__proto__', 'ключ 🔑', 'only/production'])
        expect(stdout.toString()).toContain(name);
      expect(stdout.toString()).not.toContain('purged\n');
    });

    it('gives exact values, old versions too', async () => {
      expect((await read(vault, ['--get', 'db/password'])).stdout.toString()).toBe('second');
      expect((await read(vault, ['--get', 'db/password', '--version', '1'])).stdout.toString()).toBe('first');
      expect((await read(vault, ['--get', 'binary'])).stdout).toEqual(binaryValue);
      expect((await read(vault, ['--get', 'only/production', '--env', 'production'])).stdout.toString()).toBe(
        'p',
      );
      expect((await read(vault, ['--get', 'nothing'])).status).toBe(3);
    });

    it('refuses a wrong passphrase, opens with the recovery key and, after passwd, with the new one', async () => {
      expect((await read(vault, ['--list'], 'wrong')).status).toBe(4);
      const key = readFileSync(vault.in('recovery-key'), 'utf8');
      expect((await read(vault, ['--recovery', '--get', 'db/password'], key)).stdout.toString()).toBe(
        'second',
      );
      writeFileSync(vault.in('new'), 'new passphrase\n');
      await vault.ok(['passwd', ...fastKdf, '--new-passphrase-file', 'new']);
      expect((await read(vault, ['--get', 'db/password'])).status).toBe(4);
      expect((await read(vault, ['--get', 'db/password'], 'new passphrase')).stdout.toString()).toBe(
        'second',
      );
    });

    it('reads Argon2id with a key file, and many shards', async () => {
      const other = new BinaryVault();
      writeFileSync(other.in('key'), Buffer.alloc(64, 7));
      const small = ['--memory', '8', '--passes', '1'];
      await other.ok(['init', ...small, '--no-recovery', '--key-file', 'key']);
      const many = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`s/${i}`, `value ${i}`]));
      writeFileSync(other.in('many.json'), JSON.stringify(many));
      await other.ok(['import', 'many.json', '--key-file', 'key']);
      const all = await read(other, ['--key-file', 'key', '--export']);
      expect(all.status).toBe(0);
      for (const value of ['value 0', 'value 699'])
        expect(all.stdout.toString()).toContain(JSON.stringify(value));
      expect((await read(other, ['--list'])).status).toBe(4);
    });

    it('finds a flipped byte wherever it is', async () => {
      const sound = readFileSync(vault.file);
      const step = Math.floor(sound.length / 24);
      const statuses = new Set<number>();
      for (let at = 5; at < sound.length; at += step) {
        const damaged = Buffer.from(sound);
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        writeFileSync(vault.in('damaged'), damaged);
        const { status } = await runProgram(python, [recover, vault.in('damaged'), '--list'], {
          env: {},
          cwd: vault.folder,
          input: 'new passphrase',
        });
        statuses.add(status);
      }
      expect([...statuses]).toEqual([7]);
    });

    it('finds a changed, removed or swapped audit record', async () => {
      const lines = readFileSync(vault.log, 'utf8').trimEnd().split('\n');
      const manipulated: string[][] = [
        lines.map((line, i) => (i === 3 ? line.replace('"ok":true', '"ok":false') : line)),
        lines.filter((_, i) => i !== 4),
        lines.map((line, i) => (i === 5 ? (lines[6] ?? '') : i === 6 ? (lines[5] ?? '') : line)),
        lines.slice(0, 5),
      ];
      for (const log of manipulated) {
        writeFileSync(vault.in('log'), `${log.join('\n')}\n`);
        expect((await read(vault, ['--list', '--audit', 'log'], 'new passphrase')).status).toBe(7);
      }
    });
  },
);
