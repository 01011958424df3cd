/**
 * What a command pays for before it does anything: the modules that are reached from bin/vault.ts without an import(). What only some
 * commands need is behind one. The same for a program that imports the library.
 */
import path from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

async function loadedAtOnce(entry: string): Promise<Set<string>> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['react-devtools-core'],
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const found = new Set<string>();
  const follow = (file: string): void => {
    if (found.has(file)) return;
    found.add(file);
    for (const { path: next, kind, external } of metafile.inputs[file]?.imports ?? [])
      if (external !== true && kind !== 'dynamic-import') follow(next);
  };
  follow(entry);
  return found;
}

function packagesOf(files: ReadonlySet<string>): string[] {
  return [
    ...new Set([...files].flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/u.exec(file)?.[1] ?? [])),
  ];
}

test('devices, identities, prompts, tables, the console and Argon2id are loaded by whoever needs them', async () => {
  const files = await loadedAtOnce('bin/vault.ts');
  expect(files).toContain('commands/devices.ts');
  expect(packagesOf(files)).toEqual(['commander']);
  expect(
    [...files].filter((file) => /^src\/(devices|library|terminal\/console)\/|^src\/index/u.test(file)),
  ).toEqual([]);
});

test('the library needs no package before one is used, and nothing of the command line', async () => {
  const files = await loadedAtOnce('src/index.ts');
  expect(files).toContain('src/library/vault.ts');
  expect(packagesOf(files)).toEqual([]);
  expect(
    [...files].filter((file) => /^(bin|commands|src\/(exec|terminal|devices|config))\//u.test(file)),
  ).toEqual([]);
});
