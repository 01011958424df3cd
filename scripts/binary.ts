/**
 * Makes one self-contained binary out of one entry file: bundle, blob, injection into a stock Node.
 *
 * For this machine the blob is a V8 start-up snapshot: the heap as it stood when the entry's top level had run, so that
 * at start nothing is parsed and no module is evaluated. It belongs to one Node build and one platform: binaries for
 * others carry the bundle itself. What the top level of a module may do, when it is not behind an `import()`:
 *
 * - define functions and classes, fill tables, make TextEncoder and TextDecoder; import commander and most built-ins;
 * - not import node:http, https, tls or sqlite, or @inquirer/prompts; not make Intl objects, touch WebAssembly or take a
 *   signal: the snapshot cannot be written and the build fails;
 * - not read process.env, argv, the working folder, the clock or randomness, or import chalk: the answer of the machine
 *   that built it would be frozen in. Nothing fails, so this one is for reviews;
 * - not call what V8 adds to the heap only when it starts for good: Uint8Array.fromHex and toHex, fromBase64 and toBase64,
 *   Promise.try, RegExp.escape, Error.isError, Iterator.concat, getOrInsert, DisposableStack, Temporal, SharedArrayBuffer;
 * - not make a Date that stays: the engine would look for the time zone at every start;
 * - not use top-level await or import.meta: the bundle is CommonJS.
 *
 * All of it is free inside functions and behind `import()`. Functions that ran during the build keep their bytecode. Packages behind an
 * `import()` are no part of the bundle: they lie beside it in the blob, as assets, and none can be loaded during the build.
 *
 * `execArgvExtension: none` makes the binary deaf to NODE_OPTIONS, which could otherwise run a stranger's code.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { log } from '@yao-pkg/pkg/lib-es5/log.js';
import pkg from '@yao-pkg/pkg/lib-es5/sea.js';
import { bundleProgram } from './bundle.ts';
import { dropCodeCache } from './code-cache.ts';
import { cacheFolder, hostTarget, nodeVersion, stockNode, type Target } from './target.ts';

export interface BinaryOptions {
  /** TypeScript file to start from. */
  readonly entry: string;
  /** Path of the binary; replaced whole at the end, so that a failed build leaves the old one. */
  readonly output: string;
  readonly target?: Target;
  /** Whether to start from a snapshot. Only for this machine's own platform, where it is the default. */
  readonly snapshot?: boolean;
  /** Told about each finished step. */
  readonly report?: (step: string, bytes: number) => void;
}

/**
 * Options of Node itself, fixed in the binary.
 *
 * SIGUSR1 makes Node open a debugger for anyone on the machine. bin/vault.ts takes the signal as its first act; for the
 * milliseconds before that, the debugger gets an address, in a block of the Internet that was never given out, on which
 * it cannot listen. The `--` at the end keeps Node from looking for options of its own, --env-file above all, among ours. (`--disable-sigusr1` blocks the signal, and a program that takes our place through execve would
 * inherit that for good.) OPENSSL_CONF can name a library to load, as NODE_OPTIONS could: no configuration is read.
 */
function nodeOptions(target: Target, snapshot: boolean): string[] {
  // Some of Web Crypto counts as experimental (decision 0006); with Node pinned, that is nothing to tell a user.
  const fixed = ['--inspect-port=240.0.0.1:9229', '--disable-warning=ExperimentalWarning'];
  const more = target === 'win-x64' ? [] : ['--openssl-config=/dev/null'];
  return [...fixed, ...more, ...(snapshot ? [noBaseline, fewThreads] : []), '--'];
}

/**
 * Not to compile functions by V8's baseline compiler, which a process of this length pays for and never gains by. The program sets it while
 * the snapshot is built, too: the engine takes compiled code only from one that was set as it is itself.
 */
const noBaseline = '--no-sparkplug';

/** One thread for what the engine does beside: four of them take longer to come and go than they have to do. */
const fewThreads = '--v8-pool-size=1';

export async function buildBinary(options: BinaryOptions): Promise<void> {
  const { target = hostTarget(), report } = options;
  const native = target === hostTarget();
  const output = path.resolve(options.output);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'vault-build-'));
  try {
    const bundle = path.join(folder, 'main.cjs');
    const snapshot = native && (options.snapshot ?? true);
    const banner = snapshot ? `require('node:v8').setFlagsFromString('${noBaseline}');` : '';
    const late = await bundleProgram(path.resolve(options.entry), bundle, banner);
    report?.('bundle', statSync(bundle).size);
    const assets = writeAssets(folder, late);

    const base = native ? strippedNode(target) : stockNode(target);
    report?.('base', statSync(base).size);

    const binary = path.join(folder, 'binary');
    await injectBlob(bundle, assets, base, binary, target, snapshot);
    // On macOS the binary is signed by now.
    if (snapshot && process.platform !== 'darwin') trimSnapshot(binary);
    report?.('binary', statSync(binary).size);

    mkdirSync(path.dirname(output), { recursive: true });
    chmodSync(binary, 0o755);
    // The temporary folder may be on another file system: copy beside the old binary, then replace it in one step.
    copyFileSync(binary, `${output}.tmp`);
    renameSync(`${output}.tmp`, output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns the file of each asset, by its name */
function writeAssets(folder: string, texts: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries(
    [...texts].map(([name, text], index) => {
      const file = path.join(folder, `asset-${index}`);
      writeFileSync(file, text);
      return [name, file];
    }),
  );
}

function trimSnapshot(binary: string): void {
  const bytes = readFileSync(binary);
  dropCodeCache(bytes);
  writeFileSync(binary, bytes);
}

/** A stock Node without its symbols, a fifth smaller; made once. After the injection `strip` would break the file. */
function strippedNode(target: Target): string {
  const stripped = path.join(cacheFolder, `node-${nodeVersion(target)}-${target}-stripped`);
  if (existsSync(stripped)) return stripped;
  const stock = stockNode(target);
  if (process.platform !== 'linux') return stock;
  const partial = `${stripped}.${process.pid}`;
  mkdirSync(cacheFolder, { recursive: true });
  copyFileSync(stock, partial);
  chmodSync(partial, 0o755);
  try {
    execFileSync('strip', [partial], { stdio: 'ignore' });
  } catch {
    // No binutils here: the binary is larger and just as good.
    rmSync(partial);
    return stock;
  }
  renameSync(partial, stripped);
  return stripped;
}

async function injectBlob(
  bundle: string,
  assets: Record<string, string>,
  base: string,
  output: string,
  target: Target,
  snapshot: boolean,
): Promise<void> {
  const [platform, arch] = target.split('-') as ['linux' | 'darwin' | 'win', 'x64' | 'arm64'];
  const native = target === hostTarget();
  const seaConfig = {
    disableExperimentalSEAWarning: true,
    useSnapshot: snapshot,
    useCodeCache: native && !snapshot,
    execArgv: nodeOptions(target, snapshot),
    execArgvExtension: 'none',
    assets,
  };
  // A warning would be written through a stream of the builder's own, which would then be part of the snapshot; and it is at its first
  // warning that Node looks, once, which ones it was told to leave out: the options of the binary would come too late.
  process.env['NODE_NO_WARNINGS'] = '1';
  // pkg narrates on standard output; what matters is reported here, and failures are thrown.
  log.info = () => undefined;
  log.warn = () => undefined;
  const nodeRange = `node${nodeVersion(target)}`;
  const pkgTarget = {
    platform: platform === 'darwin' ? ('macos' as const) : platform,
    arch,
    nodeRange,
    output,
  };
  if (native) {
    await pkg.default(bundle, {
      nodePath: base,
      targets: [pkgTarget],
      seaConfig,
      signature: platform === 'darwin',
    });
  } else {
    await withSeededCache(base, target, () =>
      pkg.default(bundle, { targets: [pkgTarget], seaConfig, signature: false }),
    );
  }
}

/**
 * pkg runs a base that it is handed to ask for its version, which another platform's does not survive; it takes one from
 * its cache unasked. So it gets a home folder whose cache holds the base, marked as downloaded and unpacked.
 */
async function withSeededCache(base: string, target: Target, work: () => Promise<void>): Promise<void> {
  const home = mkdtempSync(path.join(os.tmpdir(), 'vault-build-home-'));
  const name = `node-v${nodeVersion(target)}-${target}`;
  const windows = target === 'win-x64';
  const cache = path.join(home, '.pkg-cache', 'sea');
  const node = windows ? path.join(cache, `${name}.exe`) : path.join(cache, name, 'bin', 'node');
  const archive = path.join(cache, `${name}${windows ? '.zip' : '.tar.gz'}`);
  mkdirSync(path.dirname(node), { recursive: true });
  copyFileSync(base, node);
  for (const empty of [archive, `${archive}.ok`, `${node}.ok`]) writeFileSync(empty, '');
  const { homedir } = os;
  os.homedir = () => home;
  try {
    await work();
  } finally {
    os.homedir = homedir;
    rmSync(home, { recursive: true, force: true });
  }
}
