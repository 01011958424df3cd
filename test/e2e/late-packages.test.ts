/** Packages that few commands need lie beside the heap that every command copies. docs/decisions/0009-start-up.md. */
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type * as AgeEncryption from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleProgram } from '../../scripts/bundle.ts';
import { findSnapshot } from '../../scripts/code-cache.ts';
import { runLate } from '../../scripts/late-package.ts';
import { binary } from '../binary-is-built.ts';

const builtin = createRequire(import.meta.url);
/** Files of packages, and files of ours that hold little else than one. */
const expected = [
  '@redis/client/dist/index.js',
  '@scure/bip39/wordlists/english.js',
  'chalk/source/index.js',
  'cli-table3/index.js',
  'pg/esm/index.mjs',
  'src/crypto/age-encryption.ts',
  'src/crypto/argon2-wasm.ts',
  'src/crypto/hpke-suite.ts',
  'src/crypto/xwing-noble.ts',
  'src/terminal/console/session.ts',
  'src/terminal/questions.ts',
];

let late: ReadonlyMap<string, string> = new Map();
let bundle = '';
let bytes = Buffer.alloc(0);
const folder = mkdtempSync(path.join(tmpdir(), 'vault-late-'));

beforeAll(async () => {
  const file = path.join(folder, 'main.cjs');
  late = await bundleProgram(path.resolve(import.meta.dirname, '../../bin/vault.ts'), file, '');
  bundle = readFileSync(file, 'utf8');
  bytes = readFileSync(binary);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('each package that is loaded late', () => {
  test('is one of these', () => {
    expect([...late.keys()].sort()).toEqual(expected.map((name) => `late:${name}`));
  });

  test('is in the binary once, and its text is not in the heap', () => {
    const heap = findSnapshot(bytes);
    // What the bundle itself holds is there: so text can be found in the heap.
    expect(heap.includes(bundle.slice(-500, -1))).toBe(true);
    for (const [name, text] of late) {
      const first = bytes.indexOf(text);
      expect([name, first > 0, bytes.indexOf(text, first + 1)]).toEqual([name, true, -1]);
      // Each begins with a few functions of the bundler that the bundle has as well.
      for (let at = 3_000; at + 200 <= text.length; at += 5_000)
        expect([name, at, heap.includes(text.slice(at, at + 200))]).toEqual([name, at, false]);
    }
  });

  test('needs nothing but modules of Node', () => {
    for (const [name, text] of late) {
      const load = (wanted: string): unknown => {
        expect([name, wanted, isBuiltin(wanted)]).toEqual([name, wanted, true]);
        return builtin(wanted);
      };
      expect([name, Object.keys(runLate(name, text, load) as object).length > 0]).toEqual([name, true]);
    }
  });

  test('is named in the stack traces of its errors', async () => {
    const name = 'late:src/crypto/age-encryption.ts';
    const age = runLate(name, late.get(name) ?? '', builtin) as typeof AgeEncryption;
    const error = await age.identityToRecipient('AGE-SECRET-KEY-1').catch((thrown: unknown) => thrown);
    expect((error as Error).stack).toMatch(/^\s+at .*\(late:src\/crypto\/age-encryption\.ts:\d+:\d+\)$/mu);
  });

  test('has the licence of what it holds', () => {
    for (const [name, holder] of [
      ['late:src/terminal/console/session.ts', 'Meta Platforms'],
      ['late:src/crypto/xwing-noble.ts', 'Paul Miller'],
    ] as const)
      expect([name, late.get(name)?.includes(holder)]).toEqual([name, true]);
  });
});
