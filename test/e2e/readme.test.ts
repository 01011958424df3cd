/** The examples of the README, run word for word at a pseudo-terminal, one after the other. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { binary } from '../binary-is-built.ts';

const readme = readFileSync(path.resolve(import.meta.dirname, '../../README.md'), 'utf8');

function consoleLines(): string[] {
  const blocks = [...readme.matchAll(/<!-- example:[^>]*-->\n```console\n([\s\S]*?)```/g)];
  return blocks
    .flatMap(([, block = '']) => block.split('\n'))
    .filter((line) => line.startsWith('$ '))
    .map((line) => line.slice(2));
}

it('every line works', () => {
  const lines = consoleLines();
  expect(lines.length).toBeGreaterThan(15);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'vault-readme-'));
  try {
    mkdirSync(path.join(folder, 'bin'));
    symlinkSync(binary, path.join(folder, 'bin', 'vault'));
    writeFileSync(path.join(folder, '.env'), 'API_URL=https://api.internal\nAPI_KEY="k-1"\n');
    writeFileSync(
      path.join(folder, 'server'),
      '#!/bin/sh\ntest "$API_KEY" = k-1 && echo "server has its key"\n',
    );
    chmodSync(path.join(folder, 'server'), 0o755);
    writeFileSync(path.join(folder, 'session.sh'), `set -e\n${lines.join('\n')}\necho 'all lines ran'\n`);
    const env = {
      PATH: `${path.join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: folder,
      XDG_STATE_HOME: path.join(folder, 'state'),
      TOKEN: 't-1',
      VAULT_PASSPHRASE: 'the readme',
      VAULT_KDF_ENGINE: 'native',
    };
    // `script` gives it a terminal, as a reader has one: `init` shows the recovery key there.
    const result = spawnSync('script', ['-qec', 'sh session.sh', '/dev/null'], {
      cwd: folder,
      env,
      encoding: 'utf8',
      input: '',
    });
    expect(result.stdout).toContain('all lines ran');
    expect(result.stdout).toMatch(/VRK1-/);
    expect(result.stdout).toContain('server has its key');
    expect(result.status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
