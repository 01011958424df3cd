/** Hooks and the program that runs them: what ends it ends them, and where they run. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { scenario } from '../support/binary-vault.ts';
import { isAlive, processes } from '../support/hook-processes.ts';

/** Starts a child of its own, says so, and would bring the value once somebody lets it. */
const slow = `sleep 300 & echo $! > pids; echo $$ >> pids; while ! test -e go; do sleep 0.02; done; printf %s "$VAULT_NEW_VALUE" > server`;

describe('a signal', () => {
  for (const [signal, args] of [
    ['SIGTERM', ['--apply', slow]],
    ['SIGINT', ['--apply', slow]],
    ['SIGHUP', ['--apply', 'true', '--check', slow]],
    ['SIGTERM', ['--command', slow]],
  ] as const)
    scenario(
      `${signal} ends the hook of ${args[0]} with all that it has started, and says so`,
      async (vault) => {
        await vault.put('db', 'one');
        const child = spawn(binary, ['rotate', 'db', ...args], {
          cwd: vault.folder,
          env: vault.environment(),
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        let said = '';
        child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
        const pids = await processes(vault, 2);
        child.kill(signal);
        const [status] = (await once(child, 'close')) as [number | null];
        expect(status).toBe(130);
        expect(pids.filter(isAlive)).toEqual([]);
        writeFileSync(vault.in('go'), '');
        expect(existsSync(vault.in('server'))).toBe(false);
        expect(await vault.text('db')).toBe('one');
        const pending = (await vault.json(['status'])) as { rotationsUnderWay: unknown[] };
        const isStaged = args[0] === '--apply';
        expect(pending.rotationsUnderWay).toHaveLength(isStaged ? 1 : 0);
        if (isStaged) expect(said).toContain('stays pending; `vault rotate --resume` goes on with it');
      },
    );

  scenario('leaves the secrets that come after it as they are', async (vault) => {
    for (const name of ['a', 'b', 'c']) await vault.put(name, 'one', '--type', 'password');
    const child = spawn(binary, ['rotate', '--all', '--type', 'password', '--jobs', '1', '--apply', slow], {
      cwd: vault.folder,
      env: vault.environment(),
      stdio: 'ignore',
    });
    await processes(vault, 2);
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([130, null]);
    const { rotationsUnderWay } = (await vault.json(['status'])) as { rotationsUnderWay: unknown[] };
    expect(rotationsUnderWay).toHaveLength(1);
  });
});

describe('a hook that does not listen', () => {
  /** Ignores SIGTERM and holds no pipe of ours. */
  const deaf = (then: string): string => `sh -c 'trap "" TERM; ${then}' > /dev/null 2>&1`;
  for (const [what, line] of [
    ['that its shell has left behind', `${deaf('echo $$ >> pids; sleep 300')} & wait`],
    [
      'that begins meanwhile',
      deaf('echo $$ >> pids; until test -e go; do sleep 0.02; done; sh -c "echo \\$\\$ >> pids; sleep 300"'),
    ],
  ] as const)
    scenario(`nor one ${what}, outlives us`, async (vault) => {
      await vault.put('db', 'one');
      const child = spawn(binary, ['rotate', 'db', '--apply', line], {
        cwd: vault.folder,
        env: vault.environment(),
        stdio: 'ignore',
      });
      const ended = once(child, 'close');
      await processes(vault, 1);
      child.kill('SIGTERM');
      const goesOn = line.includes('go;');
      if (goesOn) {
        // Only once it was heard: SIGTERM reaches the one that is there.
        writeFileSync(vault.in('go'), '');
        await processes(vault, 2);
      }
      expect(await ended).toEqual([130, null]);
      expect((await processes(vault, goesOn ? 2 : 1)).filter(isAlive)).toEqual([]);
    });
});

describe('a hook that Ctrl-C has ended', () => {
  scenario('has not failed: nothing is taken back', async (vault) => {
    await vault.put('db', 'one');
    const hooks = ['--apply', 'kill -INT $$', '--undo', 'touch undone'];
    expect((await vault.run(['rotate', 'db', ...hooks])).status).toBe(130);
    expect(existsSync(vault.in('undone'))).toBe(false);
    const { rotationsUnderWay } = (await vault.json(['status'])) as { rotationsUnderWay: unknown[] };
    expect(rotationsUnderWay).toHaveLength(1);
  });
});

describe('where hooks run', () => {
  const script = (folder: string, text: string): void => {
    writeFileSync(`${folder}/apply`, `#!/bin/sh\necho ${text} > ran\n`, { mode: 0o755 });
  };

  scenario('stored ones in the folder whose vault it is, others where you are', async (vault) => {
    const elsewhere = vault.in('elsewhere');
    mkdirSync(elsewhere);
    script(vault.folder, 'ours');
    script(elsewhere, 'theirs');
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'h', '--apply', './apply', '--command', 'pwd']);
    await vault.ok(['hook', 'use', 'h', 'db']);
    await vault.ok(['rotate', 'db'], { cwd: elsewhere });
    expect(readFileSync(vault.in('ran'), 'utf8')).toBe('ours\n');
    expect(existsSync(`${elsewhere}/ran`)).toBe(false);
    expect((await vault.text('db')).endsWith('elsewhere')).toBe(false);
    await vault.ok(['rotate', 'db', '--apply', './apply'], { cwd: elsewhere });
    expect(readFileSync(`${elsewhere}/ran`, 'utf8')).toBe('theirs\n');
  });

  scenario('is accepted with them: beside a copy of the vault they are asked about again', async (vault) => {
    const copy = vault.in('copy');
    script(vault.folder, 'ours');
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'h', '--apply', './apply']);
    await vault.ok(['hook', 'use', 'h', 'db']);
    cpSync(vault.in('.vault'), `${copy}/.vault`, { recursive: true });
    script(copy, 'theirs');
    await vault.fails(5, ['rotate', 'db'], { cwd: copy });
    expect(existsSync(`${copy}/ran`)).toBe(false);
    expect((await vault.ok(['hook', 'show', 'h'], { cwd: copy })).stdout.toString()).toContain(copy);
    await vault.ok(['hook', 'trust', 'h', '--yes'], { cwd: copy });
    await vault.ok(['rotate', 'db'], { cwd: copy });
    expect(readFileSync(`${copy}/ran`, 'utf8')).toBe('theirs\n');
  });
});
