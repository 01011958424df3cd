/**
 * What a command pays for before it does anything: the modules that are reached from bin/vault.ts without an import(). What only some
 * commands need is behind one.
 */
import path from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

async function loadedAtOnce(): Promise<Set<string>> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['bin/vault.ts'],
    bundle: true,
    platform: 'node',
    format: 'cjs',
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
  follow('bin/vault.ts');
  return found;
}

test('devices, identities, prompts, tables and Argon2id are loaded by whoever needs them', async () => {
  const files = await loadedAtOnce();
  expect(files).toContain('commands/devices.ts');
  const packages = new Set(
    [...files].flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/u.exec(file)?.[1] ?? []),
  );
  expect([...packages]).toEqual(['commander']);
  expect([...files].filter((file) => file.startsWith('src/devices/'))).toEqual([]);
});
