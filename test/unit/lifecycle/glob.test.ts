/** Patterns that would make a naive matcher work for ever. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const module = new URL('../../../src/lifecycle/glob.ts', import.meta.url).href;

test.each(['**a', '*a', '?*', '**'])('many times %s is matched at once', (piece) => {
  const call = `matchesPattern(${JSON.stringify(piece)}.repeat(300) + 'x', 'a'.repeat(1000))`;
  const program = `const { matchesPattern } = await import(${JSON.stringify(module)}); console.log(${call});`;
  // In a process of its own, which can be ended: a matcher that backtracks does not come back in anybody's lifetime.
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 8_000 });
  expect(String(stdout)).toBe('false\n');
});
