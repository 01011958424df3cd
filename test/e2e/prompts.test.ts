/** Questions at a real terminal: hidden, on the terminal itself, and leaving it as it was. */
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { fastKdf, passphrase, scenario, type BinaryVault } from '../support/binary-vault.ts';
import { PseudoTerminal, type TerminalOptions } from '../support/pseudo-terminal.ts';

const ctrlC = '\u0003';
const ctrlD = '\u0004';
const question = 'passphrase for';

function at(
  vault: BinaryVault,
  args: readonly string[],
  more: Partial<TerminalOptions> & { readonly given?: boolean } = {},
): PseudoTerminal {
  const env = Object.fromEntries(
    Object.entries(
      vault.environment({ TERM: 'xterm', VAULT_PASSPHRASE: more.given === true ? passphrase : undefined }),
    ).filter(([, value]) => value !== undefined),
  );
  return new PseudoTerminal(binary, args, { env, cwd: vault.folder, ...more });
}

function expectAsBefore(terminal: PseudoTerminal): void {
  expect(terminal.after?.echo).toBe(true);
  expect(terminal.after?.all).toEqual(terminal.before?.all);
}

describe('the passphrase', () => {
  scenario('is asked for on the terminal while all three streams are something else', async (vault) => {
    const terminal = at(vault, ['get', 'canary'], { stdin: 'null', stdout: 'pipe', stderr: 'pipe' });
    const { echo } = await terminal.sees(question);
    expect(echo).toBe(false);
    terminal.type(`${passphrase}\r`);
    expect(await terminal.end()).toBe(0);
    expect(terminal.stdout).toBe(vault.canary.value);
    expect(terminal.stderr).toBe('');
    expect(terminal.screen).not.toContain(passphrase);
    expect(terminal.screen).not.toContain(vault.canary.value);
    expectAsBefore(terminal);
  });

  scenario('is asked for once by a shell’s pipe, and goes nowhere', async (vault) => {
    const env = { ...vault.environment({ VAULT_PASSPHRASE: undefined, TERM: 'xterm', VAULT: binary }) };
    delete env['VAULT_PASSPHRASE'];
    const terminal = new PseudoTerminal(
      '/bin/bash',
      ['-c', 'stty -a > before; $VAULT get canary | cat; stty -a > after'],
      { env, cwd: vault.folder, stdout: 'pipe' },
    );
    await terminal.sees(question);
    terminal.type(`${passphrase}\r`);
    expect(await terminal.end()).toBe(0);
    expect(terminal.stdout).toBe(vault.canary.value);
    expect(terminal.screen).not.toContain(passphrase);
    const settings = readFileSync(vault.in('after'), 'utf8');
    expect(settings).toBe(readFileSync(vault.in('before'), 'utf8'));
    expect(settings).toMatch(/ echo /u);
  });

  scenario('can be refused with Ctrl-C: 130, and the terminal is as before', async (vault) => {
    const terminal = at(vault, ['get', 'canary'], { stdout: 'pipe' });
    await terminal.sees(question);
    terminal.type(`half${ctrlC}`);
    expect(await terminal.end()).toBe(130);
    expect(terminal.stdout).toBe('');
    expect(terminal.screen).toContain('interrupted');
    expect(terminal.screen).not.toMatch(/half|Error|internal|\bat /u);
    expectAsBefore(terminal);
  });

  for (const before of ['', 'half'])
    scenario(`ends with the input at ${JSON.stringify(before)}`, async (vault) => {
      const terminal = at(vault, ['get', 'canary'], { stdout: 'pipe' });
      await terminal.sees(question);
      terminal.type(`${before}${ctrlD}`);
      expect(await terminal.end()).toBe(130);
      expect(terminal.screen).toContain('interrupted');
      expectAsBefore(terminal);
    });

  scenario('cannot be made visible', async (vault) => {
    const terminal = at(vault, ['get', 'canary'], { stdout: 'pipe' });
    await terminal.sees(question);
    terminal.type(`\u0014typed\u0014 in clear${ctrlC}`);
    expect(await terminal.end()).toBe(130);
    expect(terminal.screen).not.toMatch(/toggle|typed/u);
  });

  scenario('may be wrong twice', async (vault) => {
    const terminal = at(vault, ['get', 'canary'], { stdout: 'pipe' });
    expect((await terminal.sees(question)).echo).toBe(false);
    terminal.type('wrong\r');
    for (const guess of ['also wrong', passphrase]) {
      await terminal.sees('try again');
      expect((await terminal.sees(question)).echo).toBe(false);
      terminal.type(`${guess}\r`);
    }
    expect(await terminal.end()).toBe(0);
    expect(terminal.stdout).toBe(vault.canary.value);
    expect(terminal.screen).not.toContain('wrong\r\n');
    expectAsBefore(terminal);
  });

  scenario('is not asked for a fourth time: 4', async (vault) => {
    const terminal = at(vault, ['get', 'canary'], { stdout: 'pipe' });
    await terminal.sees(question);
    terminal.type('first guess\r');
    for (const guess of ['second guess', 'third guess']) {
      await terminal.sees('try again');
      await terminal.sees(question);
      terminal.type(`${guess}\r`);
    }
    expect(await terminal.end()).toBe(4);
    expect(terminal.stdout).toBe('');
    expect(terminal.screen).not.toContain('guess');
    expectAsBefore(terminal);
    const failed = (await vault.json(['audit', '--op', 'unlock'])) as unknown[];
    expect(failed).toHaveLength(3);
  });

  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    scenario(`is given up at ${name}, and the terminal is as before`, async (vault) => {
      const terminal = at(vault, ['get', 'canary'], { stdin: 'null', stdout: 'pipe', stderr: 'pipe' });
      await terminal.sees(question);
      terminal.signal(constants.signals[name]);
      expect([128 + constants.signals[name], 130]).toContain(await terminal.end());
      expect(terminal.stdout).toBe('');
      expectAsBefore(terminal);
      await vault.ok(['verify']);
    });
  }

  scenario('is never asked for with --no-input', async (vault) => {
    const terminal = at(vault, ['get', 'canary', '--no-input']);
    expect(await terminal.end()).toBe(4);
    expect(terminal.screen).not.toContain(question);
    const put = at(vault, ['put', 'x', '--no-input'], { given: true });
    expect(await put.end()).toBe(2);
    const purge = at(vault, ['rm', 'canary', '--purge', '--no-input'], { given: true });
    expect(await purge.end()).toBe(2);
    expect(purge.screen).toContain('--yes');
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });

  scenario('may end with SIGKILL and nothing is held or broken', async (vault) => {
    const terminal = at(vault, ['put', 'canary'], { stdin: 'null' });
    await terminal.sees(question);
    terminal.signal(constants.signals.SIGKILL);
    expect(await terminal.end()).toBe(137);
    await vault.put('x', 'y');
    await vault.ok(['verify']);
    expect(vault.leftovers()).toEqual([]);
  });
});

describe('a value', () => {
  scenario('is typed hidden', async (vault) => {
    const terminal = at(vault, ['put', 'typed'], { given: true });
    expect((await terminal.sees('value of typed:')).echo).toBe(false);
    terminal.type(`${vault.canary.value}\r`);
    expect(await terminal.end()).toBe(0);
    expect(terminal.screen).not.toContain(vault.canary.value);
    expect(terminal.screen).not.toContain('*');
    expect(await vault.text('typed')).toBe(vault.canary.value);
    expectAsBefore(terminal);
  });

  scenario('of several words, accents and a pasted length comes in whole', async (vault) => {
    const value = `päss wörd ${'0123456789'.repeat(300)}`;
    const terminal = at(vault, ['put', 'typed'], { given: true });
    await terminal.sees('value of typed:');
    terminal.type(`${value}\r`);
    expect(await terminal.end()).toBe(0);
    expect(await vault.text('typed')).toBe(value);
  });

  scenario('ends in a newline on a terminal', async (vault) => {
    const terminal = at(vault, ['get', 'canary'], { given: true });
    expect(await terminal.end()).toBe(0);
    expect(terminal.screen).toBe(`${vault.canary.value}\r\n`);
  });

  scenario('and its name do not command the terminal', async (vault) => {
    for (const name of ['\u202edb', 'd\u200bb', 'd\u{e0041}b']) await vault.put(name, 'x');
    const terminal = at(vault, ['ls'], { given: true });
    expect(await terminal.end()).toBe(0);
    expect(terminal.screen).not.toMatch(/\p{Cf}/u);
    // Each looks different from all others.
    for (const shown of ['\\u202edb', 'd\\u200bb', 'd\\u{e0041}b']) expect(terminal.screen).toContain(shown);
    // A program has them as they are.
    const { stdout } = await vault.ok(['ls']);
    expect(stdout.toString().split('\n')).toEqual(
      expect.arrayContaining(['\u202edb', 'd\u200bb', 'd\u{e0041}b']),
    );
  });
});

describe('a command for a new value', () => {
  scenario('asks at the terminal, also when the passphrase was asked for before', async (vault) => {
    const asks = 'printf "which one? " >&2; read -r answer; printf %s "$answer"';
    const terminal = at(vault, ['rotate', 'canary', '--command', asks]);
    await terminal.sees(question);
    terminal.type(`${passphrase}\r`);
    await terminal.sees('which one? ');
    terminal.type('this one\r');
    expect(await terminal.end()).toBe(0);
    expect(await vault.text('canary')).toBe('this one');
    expectAsBefore(terminal);
  });

  scenario('of many secrets asks for one after the other', async (vault) => {
    await vault.put('db', 'x');
    const asks = 'printf "which $VAULT_SECRET_NAME? " >&2; read -r answer; printf %s "$answer"';
    const args = ['rotate', '--all', '--command', asks, '--apply', 'sleep 0.2'];
    const terminal = at(vault, args, { given: true });
    for (const name of ['canary', 'db']) {
      await terminal.sees(`which ${name}? `);
      terminal.type(`that ${name}\r`);
    }
    expect(await terminal.end()).toBe(0);
    expect([await vault.text('canary'), await vault.text('db')]).toEqual(['that canary', 'that db']);
  });
});

describe('a purge', () => {
  scenario('happens at yes', async (vault) => {
    const terminal = at(vault, ['rm', 'canary', '--purge'], { given: true });
    await terminal.sees('for good?');
    terminal.type('y\r');
    expect(await terminal.end()).toBe(0);
    await vault.fails(3, ['get', 'canary']);
    await vault.fails(3, ['restore', 'canary']);
    expectAsBefore(terminal);
  });

  for (const answer of ['n\r', '\r', ctrlC, ctrlD]) {
    scenario(`does not happen at ${JSON.stringify(answer)}`, async (vault) => {
      const terminal = at(vault, ['rm', 'canary', '--purge'], { given: true });
      await terminal.sees('for good?');
      terminal.type(answer);
      // No is an answer; Ctrl-C and Ctrl-D are none.
      expect(await terminal.end()).toBe([ctrlC, ctrlD].includes(answer) ? 130 : 1);
      expect(await vault.text('canary')).toBe(vault.canary.value);
      expectAsBefore(terminal);
    });
  }
});

const recoveryKey = /VRK1[0-9A-HJKMNP-TV-Z-]{58,}/gu;

describe('init at a terminal', () => {
  scenario(
    'asks twice, shows the recovery key once and not on standard output, and the key lets one back in',
    async (vault) => {
      const terminal = at(vault, ['init', 'new.vault', ...fastKdf], { stdout: 'pipe' });
      await terminal.sees('new passphrase:');
      terminal.type('first pass\r');
      expect((await terminal.sees('the same again:')).echo).toBe(false);
      terminal.type('first pass\r');
      expect(await terminal.end()).toBe(0);
      expect(terminal.stdout).toBe(`${vault.in('new.vault')}\n`);
      expect(terminal.screen).not.toContain('first pass');
      const keys = terminal.screen.match(recoveryKey) ?? [];
      expect(keys).toHaveLength(1);
      expectAsBefore(terminal);

      const recover = at(vault, ['recover', '--vault', 'new.vault', ...fastKdf], { stdout: 'pipe' });
      expect((await recover.sees('recovery key:')).echo).toBe(false);
      recover.type(`${keys[0]?.toLowerCase().replaceAll('-', ' ') ?? ''}\r`);
      for (const asked of ['new passphrase:', 'the same again:']) {
        await recover.sees(asked);
        recover.type('second pass\r');
      }
      expect(await recover.end()).toBe(0);
      const next = recover.screen.match(recoveryKey) ?? [];
      expect(next).toHaveLength(1);
      expect(next[0]).not.toBe(keys[0]);
      expect(recover.stdout).toBe('');
      const named = ['--vault', 'new.vault'];
      await vault.fails(4, ['ls', ...named], { env: { VAULT_PASSPHRASE: 'first pass' } });
      await vault.ok(['ls', ...named], { env: { VAULT_PASSPHRASE: 'second pass' } });
    },
  );

  scenario('makes nothing if the two passphrases differ, or at Ctrl-C', async (vault) => {
    const differ = at(vault, ['init', 'new.vault', ...fastKdf]);
    await differ.sees('new passphrase:');
    differ.type('one\r');
    await differ.sees('the same again:');
    differ.type('other\r');
    expect(await differ.end()).toBe(2);
    const stopped = at(vault, ['init', 'new.vault', '--recovery-file', 'key', ...fastKdf]);
    await stopped.sees('new passphrase:');
    stopped.type(ctrlC);
    expect(await stopped.end()).toBe(130);
    for (const file of ['new.vault', 'new.vault.audit.jsonl', 'key'])
      expect(existsSync(vault.in(file)), file).toBe(false);
  });
});

describe('tables', () => {
  scenario('have their headings on a terminal with colours, as elsewhere', async (vault) => {
    for (const args of [['history', 'canary'], ['ls', '--long'], ['audit'], ['status']]) {
      const terminal = at(vault, args, { given: true });
      expect(await terminal.end()).toBe(0);
      const { stdout } = await vault.ok(args);
      const heading = (text: string): string =>
        text.split('\n').find((line) => /^[A-Z#][A-Z# ]+$/u.test(line)) ?? '';
      const codes = new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]*m`, 'gu');
      const shown = terminal.screen.replaceAll('\r', '');
      expect(shown).toMatch(codes);
      expect(heading(shown.replaceAll(codes, ''))).toBe(heading(stdout.toString()));
      expect(heading(stdout.toString())).not.toBe('');
    }
  });
});
