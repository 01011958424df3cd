/**
 * `npm run build [-- --target linux-arm64 …]`: the product's binary, `dist/vault`, or `dist/vault-TARGET` for another platform; and the
 * library, `dist/lib`, which is the same for all.
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildBinary } from './binary.ts';
import { buildLibrary } from './library.ts';
import { hostTarget, isTarget, root, targets } from './target.ts';

const { values } = parseArgs({ options: { target: { type: 'string', multiple: true } } });
const library = buildLibrary(path.join(root, 'dist', 'lib'));

for (const target of values.target ?? [hostTarget()]) {
  if (!isTarget(target)) throw new Error(`unknown target ${target}; one of ${targets.join(', ')}`);
  const name = target === hostTarget() ? 'vault' : `vault-${target}`;
  const output = path.join(root, 'dist', target === 'win-x64' ? `${name}.exe` : name);
  const started = performance.now();
  await buildBinary({ entry: path.join(root, 'bin', 'vault.ts'), output, target, report });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${path.relative(root, output)}: built for ${target} in ${seconds} s`);
  if (target === 'darwin-arm64' && process.platform !== 'darwin') {
    console.log('  not signed: macOS kills it until someone signs it on a Mac (codesign --sign - FILE)');
  }
}

const { code, types } = await library;
report('modules', code);
report('types', types);
console.log('dist/lib: the library');

function report(step: string, bytes: number): void {
  const size = bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(`  ${step.padEnd(7)}${size.padStart(9)}`);
}
