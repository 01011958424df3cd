/** The one file that is shipped: it needs nothing beside it, and nobody's settings get into it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { BinaryVault, fastKdf, passphrase, runProgram, scenario } from '../support/binary-vault.ts';
import { PseudoTerminal } from '../support/pseudo-terminal.ts';

/** Ports that somebody listens on. */
function listening(pid: number): string[] {
  const tables = ['tcp', 'tcp6'].map((name) => readFileSync(`/proc/${pid}/net/${name}`, 'utf8'));
  return tables
    .flatMap((table) => table.split('\n').slice(1))
    .flatMap((line) => {
      const [, local, , state] = line.trim().split(/\s+/u);
      return state === '0A' && local !== undefined ? [local] : [];
    });
}

describe('the binary', () => {
  test('runs from any folder, with an empty environment, alone', async () => {
    const vault = new BinaryVault();
    const copy = vault.in('copied');
    copyFileSync(binary, copy);
    for (const cwd of ['/', '/proc/self', vault.folder]) {
      const ended = await runProgram(copy, ['--version'], { env: {}, cwd });
      expect(ended).toMatchObject({ status: 0, stderr: '' });
      expect(ended.stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/u);
    }
    const init = await runProgram(copy, ['init', 'x.vault', ...fastKdf, '--no-recovery'], {
      env: { VAULT_PASSPHRASE: passphrase, HOME: '/nonexistent' },
      cwd: vault.folder,
    });
    expect(init).toMatchObject({ status: 0 });
    const put = await runProgram(copy, ['put', 'x', '--vault', vault.in('x.vault'), '--json'], {
      env: { VAULT_PASSPHRASE: passphrase },
      cwd: '/',
      input: 'value',
    });
    expect(put).toMatchObject({ status: 0, stderr: '' });
    rmSync(copy);
  });

  test('has help for every command', async () => {
    const vault = new BinaryVault();
    const { stdout } = await vault.ok(['--help']);
    const commands = [...stdout.toString().matchAll(/^ {2}([a-z]+)(?:\|[a-z]+)? /gmu)].map(
      ([, name]) => name ?? '',
    );
    expect(commands.length).toBeGreaterThan(18);
    for (const name of commands.filter((command) => command !== 'help')) {
      const { status, stdout: help, stderr } = await vault.run([name, '--help']);
      expect([name, status, stderr]).toEqual([name, 0, '']);
      expect(help.toString()).toMatch(/^Usage: vault /u);
    }
    expect(readdirSync(vault.folder)).toEqual([]);
  });

  scenario('ignores NODE_OPTIONS and other settings of Node', async (vault) => {
    writeFileSync(
      vault.in('evil.cjs'),
      `require('node:fs').writeFileSync(${JSON.stringify(vault.in('marker'))}, 'x')`,
    );
    const env = {
      NODE_OPTIONS: `--require ${vault.in('evil.cjs')}`,
      NODE_PATH: vault.folder,
      NODE_DEBUG: 'fs,net,module',
      NODE_EXTRA_CA_CERTS: '/nonexistent',
      NODE_PENDING_DEPRECATION: '1',
      NODE_REDIRECT_WARNINGS: vault.in('warnings'),
    };
    const { stdout, stderr } = await vault.ok(['get', 'canary'], { env, shows: true });
    expect(stdout.toString()).toBe(vault.canary.value);
    expect(stderr).toBe('');
    for (const file of ['marker', 'warnings']) expect(readdirSync(vault.folder)).not.toContain(file);
    const child = await vault.ok(['exec', '--', 'printenv', 'NODE_OPTIONS'], { env });
    expect(child.stdout.toString()).toBe(`${env.NODE_OPTIONS}\n`);
  });

  scenario('takes arguments of Node for its own, and refuses them', async (vault) => {
    for (const argument of ['--inspect', '--eval=1', '-p', '--require=./x', '--v8-options']) {
      expect([argument, (await vault.run([argument, 'ls'])).status]).toEqual([argument, 2]);
    }
  });

  scenario('opens no debugger at SIGUSR1, while it waits and while it watches', async (vault) => {
    const env = Object.fromEntries(
      Object.entries(vault.environment({ TERM: 'dumb' })).filter(([name]) => name !== 'VAULT_PASSPHRASE'),
    );
    const prompt = new PseudoTerminal(binary, ['get', 'canary'], {
      env,
      cwd: vault.folder,
    });
    await prompt.sees('passphrase for');
    const before = listening(prompt.pid);
    prompt.signal(10);
    prompt.signal(10);
    prompt.type('\u0003');
    expect(await prompt.end()).toBe(130);
    expect(prompt.screen).not.toMatch(/debugger|inspector/iu);

    const child = spawn(
      binary,
      ['exec', '--timeout', '1m', '--', '/bin/sh', '-c', 'trap "" USR1; echo ready; read line'],
      {
        env: vault.environment(),
        cwd: vault.folder,
      },
    );
    let errors = '';
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    await once(child.stdout, 'data');
    child.kill('SIGUSR1');
    child.kill('SIGUSR1');
    // The signal was taken when the next thing that it does is done.
    const pid = child.pid ?? 0;
    await vi.waitFor(() => {
      expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^SigPnd:\s0+$/mu);
    }, 10_000);
    expect(listening(pid).filter((port) => !before.includes(port))).toEqual([]);
    child.stdin.end('\n');
    await once(child, 'exit');
    expect(errors).toBe('');
  });

  scenario('leaves no value in a core file: at a prompt', async (vault) => {
    const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
    // Elsewhere the system takes cores away, and there is nothing to look at.
    const here = !/^[|/]/u.test(pattern);
    mkdirSync(vault.in('cores'));
    const env = { ...vault.environment({ TERM: 'dumb', VAULT: binary }) } as Record<string, string>;
    const line = 'ulimit -c unlimited; exec "$VAULT" put canary --vault ../.vault';
    const terminal = new PseudoTerminal('/bin/bash', ['-c', line], { env, cwd: vault.in('cores') });
    await terminal.sees('value of canary');
    terminal.type(vault.canary.value);
    await terminal.sees('value of canary');
    terminal.signal(6);
    expect(await terminal.end()).toBe(134);
    for (const file of here ? readdirSync(vault.in('cores')) : []) {
      const core = vault.in('cores', file);
      expect(vault.canary.isIn(readFileSync(core)), `${file} of ${statSync(core).size} bytes`).toBe(false);
    }
  });

  scenario('leaves nothing in the folder for temporary files', async (vault) => {
    mkdirSync(vault.in('tmp'));
    const env = { TMPDIR: vault.in('tmp') };
    await vault.ok(['exec', '--file', 'F=canary', '--', 'true'], { env });
    await vault.ok(['get', 'canary', '--out', path.basename(vault.asked(vault.in('out')))], { env });
    expect(readdirSync(vault.in('tmp'))).toEqual([]);
  });
});
