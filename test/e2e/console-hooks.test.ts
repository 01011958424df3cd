/** Hooks and commands that the console runs: kept from its terminal, told of on its screen, ended with it. */
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect } from 'vitest';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';
import { expectRestored, open, type Console } from '../support/console-terminal.ts';
import { isAlive, processes } from '../support/hook-processes.ts';

const ctrlC = '\u0003';

/** The vault with a secret `db` that this hook rotates, and the console with `db` selected. */
async function withHook(vault: BinaryVault, ...hook: readonly string[]): Promise<Console> {
  await vault.put('db', 'one');
  await vault.ok(['hook', 'set', 'smtp', ...hook]);
  await vault.ok(['hook', 'use', 'smtp', 'db']);
  const console = await open(vault);
  console.screen.type('\u001b[B');
  await console.screen.until(/^> db /mu);
  return console;
}

const saysPids = 'echo $$ >> pids; sleep 60 & echo $! >> pids; wait';

describe('what a hook prints', () => {
  scenario('is on the screen with what came of it, and the question names the hook', async (vault) => {
    const says = 'echo "to $VAULT_NEW_VALUE"; printf "connecting\\nchanged\\033[2J\\n" >&2';
    const { screen, terminal } = await withHook(vault, '--apply', says);
    screen.type('r');
    await screen.until(/^rotate "db" in development by the hook smtp\? y\/n$/mu);
    screen.type('y');
    const rotated = await screen.until(/"db" rotated in development, version 2\n\| to \*{8}\n/u);
    expect(rotated).toMatch(/^\| connecting\n\| changed\\u001b\[2J$/mu);
    screen.type('j');
    await screen.until((text) => !text.includes('connecting'));
    screen.type('q');
    expect(await terminal.end()).toBe(0);
    expect(terminal.screen).not.toContain('\u001b[2J\n');
  });

  scenario('is there while it runs, and when it fails', async (vault) => {
    const hook = ['--apply', 'echo waiting; until test -e go; do sleep 0.05; done; echo refused >&2; false'];
    const { screen, terminal } = await withHook(vault, ...hook);
    screen.type('ry');
    await screen.until(/^rotating…\n\| waiting$/mu);
    await vault.shell('touch go');
    await screen.until(/apply of "db" failed with status 1[^]*\| waiting\n\| refused/u);
    screen.type('q');
    expect(await terminal.end()).toBe(0);
  });
});

describe('a command that makes the value', () => {
  scenario('has no way to the terminal', async (vault) => {
    const attack = String.raw`printf '\033[2J\033[?1049l\033]0;PWNED\007' >&2`;
    const viaTerminal = String.raw`(printf '\033]0;PWNED\007' > /dev/tty) 2>/dev/null; cat`;
    const { screen, terminal } = await withHook(vault, '--command', `${attack}; ${viaTerminal}; echo made`);
    screen.type('ry');
    await screen.until(/"db" rotated in development, version 2\n\| \\u001b\[2J\\u001b\[\?1049l/u);
    expect(screen.isAlternate).toBe(true);
    expect(terminal.screen).not.toContain('\u001b]0;');
    // It has taken no keys.
    screen.type('?');
    await screen.until(/any key goes back/u);
    screen.type('xq');
    expect(await terminal.end()).toBe(0);
    expect(await vault.text('db')).toBe('made');
  });

  scenario('is ended by q, and nothing has happened', async (vault) => {
    const console = await withHook(vault, '--command', saysPids);
    const { screen, terminal } = console;
    screen.type('ry');
    const pids = await processes(vault, 2);
    // The screen goes on meanwhile.
    screen.type('?');
    await screen.until(/any key goes back/u);
    screen.type('xq');
    expect(await terminal.end()).toBe(130);
    expect(pids.filter(isAlive)).toEqual([]);
    expect([screen.isAlternate, terminal.after?.all]).toEqual([false, terminal.before?.all]);
    expect(await vault.json(['show', 'db'])).toMatchObject({ version: 1 });
    expect(await vault.text('db')).toBe('one');
  });
});

scenario('a command that makes the value is ended by SIGTERM', async (vault) => {
  const console = await withHook(vault, '--command', saysPids);
  console.screen.type('ry');
  const pids = await processes(vault, 2);
  console.terminal.signal(constants.signals.SIGTERM);
  expect(await console.terminal.end()).toBe(143);
  await expectRestored(console);
  expect(pids.filter(isAlive)).toEqual([]);
});

describe('a hook that runs when the console ends', () => {
  const endings: readonly (readonly [string, (console: Console) => void, number])[] = [
    ['at Ctrl-C', ({ screen }) => screen.type(ctrlC), 130],
    ['at q', ({ screen }) => screen.type('q'), 130],
    ['at SIGTERM', ({ terminal }) => terminal.signal(constants.signals.SIGTERM), 143],
    ['at SIGHUP', ({ terminal }) => terminal.signal(constants.signals.SIGHUP), 129],
  ];
  for (const [how, end, status] of endings)
    scenario(`${how} is ended, and the rotation can be resumed`, async (vault) => {
      const apply = `test -e go || { ${saysPids}; }; printf %s "$VAULT_NEW_VALUE" > server`;
      const check = 'test "$(cat server)" = "$VAULT_NEW_VALUE"';
      const hook = ['--apply', apply, '--check', check, '--undo', 'touch undone'];
      const console = await withHook(vault, ...hook);
      const { terminal } = console;
      console.screen.type('ry');
      const pids = await processes(vault, 2);
      end(console);
      expect(await terminal.end()).toBe(status);
      expect(pids.filter(isAlive)).toEqual([]);
      if (status === 130)
        expect(terminal.screen).toContain('version 2 stays pending; `vault rotate --resume`');
      else await expectRestored(console);
      expect([terminal.after?.all, existsSync(vault.in('undone'))]).toEqual([terminal.before?.all, false]);
      await vault.shell('touch go');
      await vault.ok(['rotate', '--resume']);
      expect(await vault.text('db')).toBe(readFileSync(vault.in('server'), 'utf8'));
      await vault.ok(['verify']);
    });

  for (const [how, end, status] of endings.slice(1, 3))
    scenario(`${how} and does not listen is ended all the same`, async (vault) => {
      const deaf = 'trap "" TERM HUP INT; echo $$ >> pids; while :; do sleep 0.1; done';
      const console = await withHook(vault, '--apply', deaf);
      console.screen.type('ry');
      const pids = await processes(vault, 1);
      end(console);
      expect(await console.terminal.end()).toBe(status);
      expect(pids.filter(isAlive)).toEqual([]);
    });
});
