/** Hooks and the program that runs them: what ends it ends them, and where they run. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
    await once(child, 'close');
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
});
