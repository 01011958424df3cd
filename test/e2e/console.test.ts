/** The console at a real terminal, as a person sees and uses it; and what it prints where there is none. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { scenario, type BinaryVault, type Variables } from '../support/binary-vault.ts';
import { at, expectRestored, open } from '../support/console-terminal.ts';
import { PseudoTerminal } from '../support/pseudo-terminal.ts';
import { TerminalScreen } from '../support/terminal-screen.ts';

const [ctrlC, ctrlZ, escape, down] = ['\u0003', '\u001a', '\u001b', '\u001b[B'];

interface Entry {
  readonly operation: string;
  readonly success: boolean;
  readonly secrets: readonly { readonly name: string; readonly version: number }[];
}

/** What is on record, without what looking at it adds. */
async function operations(vault: BinaryVault): Promise<string[]> {
  const entries = (await vault.json(['audit', '--last', '100'])) as readonly Entry[];
  return entries.filter(({ operation }) => operation !== 'audit').map(({ operation }) => operation);
}

const isMasked = (text: string): boolean => /^value {2}\*{8}$/mu.test(text);

describe('a session', () => {
  scenario('searches, shows, rotates, quits, and leaves the terminal as it was', async (vault) => {
    await vault.put('api/token', 'other', '--type', 'token', '-e', 'production');
    const console = await open(vault);
    const { terminal, screen } = console;
    expect([screen.isAlternate, screen.hasCursor]).toEqual([true, false]);
    expect(screen.text).toContain('api/token');
    expect(terminal.screen).not.toContain(vault.canary.value);

    screen.type('/CAN');
    const found = await screen.until((text) => text.includes('/CAN_') && !text.includes('api/token'));
    expect(found).toMatch(/^> canary/mu);
    screen.type('\r');
    await screen.until((text) => text.includes('/CAN') && !text.includes('/CAN_'));

    const before = await operations(vault);
    screen.type('v');
    const shown = await screen.until((text) => text.includes(vault.canary.value));
    expect(shown).toMatch(/^\d+ s +canary/mu);
    // It is on record by then, and in the trail a moment later.
    expect((await operations(vault)).slice(before.length)).toEqual(['get']);
    await screen.until(/ get +ok +owner +canary v1/u);
    // Nobody presses anything.
    await screen.until(isMasked);
    expect(screen.text).not.toContain(vault.canary.value);

    screen.type('r');
    await screen.until(/rotate "canary" in development, to a generated value\? y\/n/u);
    screen.type('y');
    await screen.until(/"canary" rotated in development, version 2/u);
    await screen.until(/ rotate +ok +owner +canary v2/u);
    const rotated = await vault.text('canary');
    expect(rotated).toMatch(/^[\w.~-]{32}$/u);
    expect((await operations(vault)).slice(before.length)).toEqual(['get', 'rotate', 'get']);
    expect(await vault.json(['show', 'canary'])).toMatchObject({ version: 2, rotations: 1 });

    screen.type('q');
    expect(await terminal.end()).toBe(0);
    await expectRestored(console);
    expect(terminal.screen).not.toContain(rotated);
    await vault.ok(['verify']);
  });

  scenario('masks a value at once when something else is chosen, or the key comes again', async (vault) => {
    await vault.put('zebra', 'nothing');
    const { screen, terminal } = await open(vault);
    for (const key of ['\r', escape, down, '/', 'r', '?', '\t']) {
      screen.type('v');
      await screen.until((text) => text.includes(vault.canary.value));
      screen.type(key);
      await screen.until((text) => !text.includes(vault.canary.value));
      // Back to where it began.
      screen.type(escape);
      await screen.until((text) => /^q quit/mu.test(text));
      screen.type(key === '\t' ? `\u001b[Zg` : 'g');
      await screen.until((text) => /^> canary/mu.test(text) && isMasked(text) && text.includes('[All 2]'));
    }
    screen.type('q');
    expect(await terminal.end()).toBe(0);
    expect(screen.scrollback).not.toContain(vault.canary.value);
  });

  scenario('copies as `get --clip` does, through the terminal where there is no program', async (vault) => {
    const { screen, terminal } = await open(vault);
    screen.type('c');
    await screen.until(/"canary" is on the clipboard through the terminal/u);
    const encoded = Buffer.from(vault.canary.value).toString('base64');
    expect(terminal.screen).toContain(`\u001b]52;c;${encoded}\u0007`);
    expect(terminal.screen).not.toContain(vault.canary.value);
    screen.type('q');
    expect(await terminal.end()).toBe(0);
    expect(await operations(vault)).toEqual(['log', 'init', 'put', 'console', 'get']);
  });

  scenario('copies through a program, which is handed nothing of ours', async (vault) => {
    const copy = vault.in('bin', 'xclip');
    await vault.shell(`mkdir bin && cat > bin/xclip && chmod +x bin/xclip`, {
      input: `#!/bin/sh\nenv > ${vault.in('clip.env')}\ncase "$*" in *-o*) cat ${vault.in('clip')};; *) cat > ${vault.in('clip')};; esac\n`,
    });
    chmodSync(copy, 0o755);
    vault.asked(vault.in('clip'));
    const { screen, terminal } = await open(vault, [], {
      DISPLAY: ':1',
      PATH: `${vault.in('bin')}:${process.env['PATH']}`,
    });
    screen.type('c');
    await screen.until(/"canary" is on the clipboard for 45 seconds/u);
    expect(readFileSync(vault.in('clip'), 'utf8')).toBe(vault.canary.value);
    expect(readFileSync(vault.in('clip.env'), 'utf8')).not.toContain('VAULT_PASSPHRASE');
    screen.type('q');
    expect(await terminal.end()).toBe(0);
    expect(terminal.screen).not.toContain(vault.canary.value);
  });

  scenario('has what is due and what expires, most urgent first', async (vault) => {
    await vault.put('old', 'x', '--expires', '2020-01-01T00:00:00Z');
    await vault.put('soon', 'x', '--expires', '7d', '-e', 'staging');
    await vault.put('later', 'x', '--expires', '2y');
    await vault.put('due', 'x', '--rotate-every', '1s');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const { screen, terminal } = await open(vault);
    await screen.until(/\[All 5\] {2}Due 1 {3}Expiring 2/u);
    screen.type('\t');
    expect(await screen.until(/\[Due 1\]/u)).toMatch(/^> due /mu);
    expect(screen.text).toContain('rotation overdue');
    screen.type('\t');
    expect(await screen.until(/\[Expiring 2\]/u)).toMatch(/^> old .*2020-01-01[^]*^ {2}soon /mu);
    screen.type('v');
    await screen.until(/"old" expired at 2020-01-01/u);
    screen.type(`${down}v`);
    await screen.until(/^\d+ s +x$/mu);
    expect(screen.text).toContain('"soon" expires in 7 days');
    screen.type('q');
    expect(await terminal.end()).toBe(0);
  });

  scenario(
    'refuses to rotate what random characters make no sense for, or what is under way',
    async (vault) => {
      await vault.put('tls', 'x', '--type', 'certificate');
      await vault.fails(9, ['rotate', 'canary', '--apply', 'true', '--check', 'false', '--undo', 'false']);
      const { screen, terminal } = await open(vault);
      await screen.until(/being rotated by owner/u);
      screen.type('ry');
      await screen.until(/^a rotation by owner is under way/mu);
      screen.type(`${down}ry`);
      await screen.until(/what it takes is not known for a certificate/u);
      // Anything but y leaves it as it is.
      screen.type('rn');
      await screen.until(/not rotated/u);
      screen.type('q');
      expect(await terminal.end()).toBe(0);
      expect(await vault.json(['ls'])).toMatchObject([
        { name: 'canary', version: 1 },
        { name: 'tls', version: 1 },
      ]);
    },
  );

  scenario('sees what others have changed meanwhile', async (vault) => {
    const { screen, terminal } = await open(vault);
    await vault.put('canary', vault.watch('the second value'));
    await vault.put('newcomer', 'x');
    screen.type('v');
    await screen.until(/^\d+ s +the second value$/mu);
    await screen.until(/newcomer/u);
    await vault.ok(['rm', 'canary']);
    screen.type('\rv');
    await screen.until(/"canary" was removed/u);
    screen.type('R');
    await screen.until((text) => text.includes('[All 1]') && text.includes('read again'));
    rmSync(vault.file);
    screen.type('R');
    await screen.until(/there is no vault|no such|not found|missing/iu);
    screen.type('q');
    expect(await terminal.end()).toBe(0);
  });

  scenario('rotates the version that was on the screen and no other', async (vault) => {
    const { screen, terminal } = await open(vault);
    await vault.put('canary', 'changed meanwhile');
    screen.type('ry');
    await screen.until(/is not at version 1/u);
    screen.type('q');
    expect(await terminal.end()).toBe(0);
    expect(await vault.text('canary')).toBe('changed meanwhile');
  });

  scenario('shows the trail of a secret, or of the vault', async (vault) => {
    await vault.put('zebra', 'x');
    const { screen, terminal } = await open(vault);
    expect(screen.text).not.toContain('zebra v1');
    screen.type('a');
    await screen.until(/AUDIT TRAIL of the vault[^]* put .*canary v1[^]* put .*zebra v1[^]* console /u);
    screen.type('a');
    await screen.until(/AUDIT TRAIL of canary/u);
    screen.type(down);
    await screen.until(/AUDIT TRAIL of zebra\n.* put .*zebra v1/u);
    screen.type('q');
    expect(await terminal.end()).toBe(0);
  });
});

describe('what is shown', () => {
  scenario('cannot command the terminal', async (vault) => {
    const hostile = '\u001b[31mred\u001b[0m\u001b]0;title\u0007\u009b2J';
    await vault.put('\u202edb', hostile, '-e', 'staging');
    const { screen, terminal } = await open(vault, ['-e', 'staging']);
    expect(screen.text).toContain('\\u202edb');
    screen.type('v');
    await screen.until(/\\u001b\[31mred\\u001b\[0m\\u001b\]0;title\\u0007\\u009b2J/u);
    screen.type('q');
    expect(await terminal.end()).toBe(0);
    for (const text of ['\u202e', '\u001b[2J', '\u001b]0;', '\u009b'])
      expect(terminal.screen).not.toContain(text);
  });

  scenario('of a value is never longer than the screen: lines, bytes, wide characters', async (vault) => {
    const lines = Array.from({ length: 100 }, (_, line) => `line ${line + 1}`).join('\n');
    await vault.put('a/lines', lines, '-e', 'testing');
    await vault.put(
      'b/bytes',
      Uint8Array.from({ length: 256 }, (_, byte) => byte),
      '-e',
      'testing',
    );
    await vault.put('c/wide 秘密', '値'.repeat(100), '-e', 'testing');
    await vault.put('d/empty', '', '-e', 'testing');
    const { screen, terminal } = await open(vault, ['-e', 'testing']);
    screen.type('v');
    await screen.until(/^\d+ s +line 1\n {7}line 2\n[^]*there is more of it/mu);
    expect(screen.text).toContain('q quit');
    screen.type(`${down}v`);
    await screen.until(/^\d+ s +00 01 02 .* 0f\n {7}10 11 /mu);
    screen.type(`${down}v`);
    const wide = await screen.until(/^\d+ s +値{36}\n {7}値{36}\n {7}値{28}$/mu);
    expect(wide).toContain('c/wide 秘密');
    screen.type(`${down}v`);
    await screen.until(/^\d+ s +\(empty\)$/mu);
    screen.type('q');
    expect(await terminal.end()).toBe(0);
  });

  scenario('fits into a window that changes its size', async (vault) => {
    for (let number = 1; number <= 30; number += 1) await vault.put(`key/${number}`, 'x', '--type', 'token');
    const { screen, terminal } = await open(vault);
    screen.type('v');
    await screen.until((text) => text.includes(vault.canary.value));
    // The top row has the title, and the last one the keys: nothing is left of another size, and nothing is beyond.
    const isWhole = (text: string): boolean =>
      text.startsWith('vault console  owner  /') &&
      (text.split('\n').at(-1) ?? '').startsWith('q quit  ? help');
    screen.resize(10, 40);
    await screen.until(isWhole);
    expect(screen.lines).toHaveLength(10);
    expect(screen.text).toMatch(/^> canary[^]*canary in development/mu);
    for (const [rows, columns] of [
      [3, 12],
      [1, 1],
      [50, 160],
    ] as const)
      screen.resize(rows, columns);
    const wide = await screen.until((text) => isWhole(text) && text.includes('AUDIT TRAIL'));
    expect(wide).toMatch(/^> canary +development +other +1 .*\*{8}$/mu);
    expect(wide).toMatch(/^ {2}key\/24 /mu);
    screen.resize(24, 80);
    await screen.until((text) => isWhole(text) && !text.includes('key/24'));
    screen.type(`${escape}\u001b[F`);
    await screen.until((text) => isWhole(text) && /^> key\/9 /mu.test(text) && text.includes('[All 31]'));
    screen.type('q');
    expect(await terminal.end()).toBe(0);
  });

  scenario('has no colours where they are declined', async (vault) => {
    const codes = new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]+m`, 'u');
    const cases: readonly [readonly string[], Variables, boolean][] = [
      [[], {}, true],
      [['--no-color'], {}, false],
      [[], { NO_COLOR: '1' }, false],
    ];
    for (const [args, variables, isColoured] of cases) {
      const { screen, terminal } = await open(vault, args, variables);
      expect(screen.text).toMatch(/^> canary/mu);
      screen.type('q');
      expect(await terminal.end()).toBe(0);
      expect(codes.test(terminal.screen)).toBe(isColoured);
    }
  });

  scenario('of pasted text is text: it searches, and never rotates', async (vault) => {
    const { screen, terminal } = await open(vault);
    expect(screen.marksPaste).toBe(true);
    const pasted = '\u001b[200~ry\r\u001b[201~';
    screen.type(`${pasted}/${pasted}`);
    await screen.until(/\/ry_/u);
    screen.type(`${escape}q`);
    expect(await terminal.end()).toBe(0);
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });
});

describe('the terminal is as it was', () => {
  for (const name of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'] as const) {
    scenario(`after ${name}, with a value on the screen`, async (vault) => {
      const console = await open(vault);
      const { screen, terminal } = console;
      screen.type('v');
      await screen.until((text) => text.includes(vault.canary.value));
      terminal.signal(constants.signals[name]);
      expect(await terminal.end()).toBe(128 + constants.signals[name]);
      await expectRestored(console);
      await vault.ok(['verify']);
    });
  }

  scenario('after Ctrl-C, also while searching and while help is shown', async (vault) => {
    for (const keys of ['', '/ab', '?', 'r']) {
      const console = await open(vault);
      console.screen.type(keys + ctrlC);
      expect(await console.terminal.end()).toBe(0);
      await expectRestored(console);
    }
  });

  scenario('while a shell has it, and the console comes back', async (vault) => {
    const env = vault.environment({ TERM: 'xterm', VAULT: binary, PS1: 'shell> ' });
    const terminal = new PseudoTerminal('/bin/bash', ['--norc', '--noprofile', '-i'], {
      env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)),
      cwd: vault.folder,
    });
    const screen = new TerminalScreen(terminal);
    await screen.until(/shell> /u);
    screen.type('stty -a > before; $VAULT console\r');
    await screen.until(/AUDIT TRAIL of canary\n.* put /u);
    screen.type('v');
    await screen.until((text) => text.includes(vault.canary.value));
    screen.type(ctrlZ);
    await screen.until((text) => !screen.isAlternate && text.includes('Stopped'));
    expect(screen.hasCursor).toBe(true);
    screen.type('stty -a > stopped; fg\r');
    await screen.until((text) => screen.isAlternate && isMasked(text) && text.includes('AUDIT TRAIL'));
    screen.type('v');
    await screen.until((text) => text.includes(vault.canary.value));
    screen.type('q');
    await screen.until(() => !screen.isAlternate);
    screen.type('stty -a > after; echo en""ded\r');
    await screen.until(/ended/u);
    const settings = ['before', 'stopped', 'after'].map((name) => readFileSync(vault.in(name), 'utf8'));
    expect(settings[1]).toBe(settings[0]);
    expect(settings[2]).toBe(settings[0]);
    expect(screen.scrollback).not.toContain(vault.canary.value);
    screen.type('exit\r');
    await terminal.end();
  });

  scenario('after it was stopped without being told, it has the terminal again', async (vault) => {
    const console = await open(vault);
    const { screen, terminal } = console;
    screen.type('v');
    await screen.until((text) => text.includes(vault.canary.value));
    const before = terminal.screen.length;
    terminal.signal(constants.signals.SIGSTOP);
    terminal.signal(constants.signals.SIGCONT);
    await screen.until(() => terminal.screen.slice(before).includes('\u001b[?1049h'));
    screen.type('?');
    await screen.until(/any key goes back/u);
    screen.type('xq');
    expect(await terminal.end()).toBe(0);
    await expectRestored(console);
  });

  scenario('when it is stopped where no shell could bring it back, it goes on', async (vault) => {
    const { screen, terminal } = await open(vault);
    screen.type(`${ctrlZ}?`);
    await screen.until(/any key goes back/u);
    screen.type('xq');
    expect(await terminal.end()).toBe(0);
  });
});

describe('without a screen', () => {
  scenario('there are plain tables, and nothing commands a terminal', async (vault) => {
    await vault.put('old', 'x', '--expires', '2020-01-01T00:00:00Z', '-e', 'production');
    const { stdout } = await vault.ok(['console']);
    const text = stdout.toString();
    expect(text).toMatch(/^NAME +ENVIRONMENT +TYPE +VERSION +UPDATED +EXPIRES +DUE$/mu);
    expect(text).toMatch(/^canary +development +other +1 /mu);
    expect(text).toMatch(/^expired +2020-01-01 +old +production$/mu);
    expect(text).toMatch(/^\d+ +\d{4}-.* put +ok +production +old v1/mu);
    expect(text).not.toContain('\u001b');
    expect((await vault.ok(['console', '-e', 'production'])).stdout.toString()).not.toMatch(/^canary/mu);
    expect(await operations(vault)).toEqual(['log', 'init', 'put', 'put', 'console', 'console']);
  });

  scenario('also at a terminal that cannot, or with --no-input or --json', async (vault) => {
    const cases: readonly [readonly string[], Variables][] = [
      [[], { TERM: 'dumb' }],
      [[], { TERM: undefined }],
      [['--no-input'], {}],
      [['--json'], {}],
    ];
    for (const [args, variables] of cases) {
      const { terminal } = at(vault, args, variables);
      expect(await terminal.end()).toBe(0);
      expect(terminal.screen).toContain('canary');
      expect(terminal.screen).not.toContain('\u001b[?1049h');
      expect(terminal.screen).not.toContain(vault.canary.value);
    }
  });

  scenario('has the exit status of what went wrong', async (vault) => {
    await vault.fails(4, ['console'], { env: { VAULT_PASSPHRASE: 'wrong' } });
    await vault.fails(2, ['console', '-e', 'nowhere']);
    await vault.fails(2, ['console', 'something']);
    const { terminal, screen } = at(vault, [], { VAULT_PASSPHRASE: 'wrong' });
    expect(await terminal.end()).toBe(4);
    expect(screen.isAlternate).toBe(false);
    expect(existsSync(vault.log)).toBe(true);
    writeFileSync(vault.file, 'nonsense');
    await vault.fails(7, ['console']);
  });
});
