/** The console at a terminal of its own. */
import { expect } from 'vitest';
import { binary } from '../binary-is-built.ts';
import type { BinaryVault, Variables } from './binary-vault.ts';
import { PseudoTerminal } from './pseudo-terminal.ts';
import { TerminalScreen } from './terminal-screen.ts';

export interface Console {
  readonly terminal: PseudoTerminal;
  readonly screen: TerminalScreen;
}

export function at(vault: BinaryVault, args: readonly string[] = [], variables: Variables = {}): Console {
  const env = vault.environment({ TERM: 'xterm', ...variables });
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
  const terminal = new PseudoTerminal(binary, ['console', ...args], { env: set, cwd: vault.folder });
  return { terminal, screen: new TerminalScreen(terminal) };
}

/** The console with its first screen. */
export async function open(
  vault: BinaryVault,
  args?: readonly string[],
  variables?: Variables,
): Promise<Console> {
  const console = at(vault, args, variables);
  await console.screen.until(/AUDIT TRAIL of .*\n\d{4}-/u);
  return console;
}

/** The terminal as it was: its modes, its cursor, the screen that the shell had. */
export async function expectRestored({ terminal, screen }: Console): Promise<void> {
  await screen.settled();
  expect(terminal.after?.all).toEqual(terminal.before?.all);
  expect([screen.isAlternate, screen.hasCursor, screen.marksPaste]).toEqual([false, true, false]);
  expect(screen.scrollback.trim()).toBe('');
}
