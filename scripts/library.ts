/**
 * The library, `dist/lib/`: ES modules for Node, and their types. What the program needs late stays in files of its own; packages are not
 * bundled, so whoever installs the library gets each of them once.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { root } from './target.ts';

const entry = path.join(root, 'src', 'index.ts');
const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
/** As tsconfig.json has it, but for what makes declarations. */
const compilerOptions = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly'];

/** @returns bytes of the modules and of the declarations */
export async function buildLibrary(
  output: string,
): Promise<{ readonly code: number; readonly types: number }> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'vault-library-'));
  try {
    const [code, types] = await Promise.all([
      writeModules(path.join(folder, 'lib')),
      writeTypes(path.join(folder, 'types'), path.join(folder, 'lib')),
    ]);
    rmSync(output, { recursive: true, force: true });
    cpSync(path.join(folder, 'lib'), output, { recursive: true });
    return { code, types };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function writeModules(outdir: string): Promise<number> {
  const { metafile } = await build({
    entryPoints: [entry],
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    packages: 'external',
    chunkNames: '[name]-[hash]',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  return Object.values(metafile.outputs).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Declarations of the face of the library and of what it mentions; nothing of what is behind it. */
async function writeTypes(all: string, outdir: string): Promise<number> {
  const config = path.join(all, 'tsconfig.json');
  mkdirSync(all, { recursive: true });
  writeFileSync(
    config,
    JSON.stringify({ extends: path.join(root, 'tsconfig.json'), files: [entry], include: [] }),
  );
  const folders = ['--rootDir', path.join(root, 'src'), '--outDir', all];
  const typeRoots = ['--typeRoots', path.join(root, 'node_modules', '@types')];
  const words = [compiler, '-p', config, ...compilerOptions, ...folders, ...typeRoots];
  await promisify(execFile)(process.execPath, words).catch((error: unknown) => {
    // The compiler says on standard output what is wrong.
    process.stderr.write((error as { readonly stdout: string }).stdout);
    throw error;
  });
  let bytes = 0;
  const copied = new Set<string>();
  const copy = (file: string): void => {
    if (copied.has(file)) return;
    copied.add(file);
    const text = readFileSync(path.join(all, file), 'utf8');
    const declaration = text.replaceAll(/(?<=from ')(\.[^']*)\.ts(?=')/gu, (_, name: string) => {
      copy(path.join(path.dirname(file), `${name}.d.ts`));
      return `${name}.js`;
    });
    const target = path.join(outdir, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, declaration);
    bytes += declaration.length;
  };
  copy('index.d.ts');
  return bytes;
}
