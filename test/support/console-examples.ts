/** Console examples of a document, run word for word at a pseudo-terminal, one after the other. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { binary } from '../binary-is-built.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** Lines after `$ ` of the blocks that are marked as examples. */
export function consoleLines(document: string): string[] {
  const text = readFileSync(path.join(root, document), 'utf8');
  const blocks = [...text.matchAll(/<!-- example:[^>]*-->\n```console\n([\s\S]*?)```/g)];
  return blocks
    .flatMap(([, block = '']) => block.split('\n'))
    .filter((line) => line.startsWith('$ '))
    .map((line) => line.slice(2));
}

/** @param folder to work in @returns what the terminal showed; `all lines ran` comes last if they did */
export function runLines(
  folder: string,
  lines: readonly string[],
  variables: Readonly<Record<string, string>>,
  input = '',
): { readonly status: number | null; readonly shown: string } {
  mkdirSync(path.join(folder, 'bin'));
  symlinkSync(binary, path.join(folder, 'bin', 'vault'));
  writeFileSync(path.join(folder, 'session.sh'), `set -e\n${lines.join('\n')}\necho 'all lines ran'\n`);
  const env = {
    PATH: `${path.join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: folder,
    XDG_STATE_HOME: path.join(folder, 'state'),
    VAULT_KDF_ENGINE: 'native',
    ...variables,
  };
  // `script` gives it a terminal, as a reader has one: `init` shows the recovery key there.
  const { status, stdout } = spawnSync('script', ['-qec', 'sh session.sh', '/dev/null'], {
    cwd: folder,
    env,
    encoding: 'utf8',
    input,
  });
  return { status, shown: stdout };
}
