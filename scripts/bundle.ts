/** One CommonJS file out of an entry and all that it imports, made to start fast as a snapshot. */
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { build, type BuildOptions, type Plugin } from 'esbuild';

const common = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node26',
  metafile: true,
  // In a snapshot there is no module loader for `import()`. Written as a lazy `require`, built-ins load there too.
  supported: { 'dynamic-import': false },
  // Names stay, since errors and tests show them.
  minifySyntax: true,
  minifyWhitespace: true,
  // A package's own modules, of which only what is used is taken; its CommonJS form comes whole.
  mainFields: ['module', 'main'],
  // One character beyond Latin-1, and the heap holds two bytes for each of them.
  charset: 'ascii',
  // Optional companions of @redis/client and pg, asked for inside functions that nothing here calls.
  external: ['@node-rs/xxhash', 'pg-native'],
  logLevel: 'warning',
  logOverride: { 'empty-import-meta': 'error' },
} as const satisfies BuildOptions;

/**
 * Built-in modules that are loaded when something of them is used, though they are imported at the top. What they bring along would be a
 * good part of the snapshot, and most commands do without: commander could start subcommands that are programs of their own.
 */
const lateBuiltins: Plugin = {
  name: 'late-builtins',
  setup: (bundler) => {
    bundler.onResolve({ filter: /^node:(child_process|tty)$/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'late-builtin' } : null,
    );
    bundler.onLoad({ filter: /^/, namespace: 'late-builtin' }, async ({ path }) => {
      const names = Object.keys((await import(path)) as object);
      const property = `{ enumerable: true, get: () => require('${path}')[key] }`;
      return {
        contents: `for (const key of ${JSON.stringify(names)}) Object.defineProperty(exports, key, ${property});`,
      };
    });
  },
};

/** Modules of ours that are loaded late with all that they import: they share no class or state with the rest. */
const standsAlone = /\/src\/terminal\/(?:console\/[^/]+|safe-text)\.ts$/u;

/** Where a package asks at run time whether somebody is developing it. */
const askedForDevelopment = "process.env['DEV'] === 'true'";

/**
 * ink, and the layout engine below it, wait for something while they are loaded, which a CommonJS module cannot. What ink waits for is for
 * those who develop it, and left out; the engine begins empty, and src/terminal/console/app.ts fills it.
 */
const withoutWaiting: Plugin = {
  name: 'without-waiting',
  setup: (bundler) => {
    bundler.onLoad({ filter: /\/ink\/build\/(?:ink|reconciler)\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!text.includes(askedForDevelopment))
        throw new Error(`${path} is not what it was: see what it waits for`);
      return { contents: text.replaceAll(askedForDevelopment, 'false') };
    });
    bundler.onLoad({ filter: /\/yoga-layout\/dist\/src\/index\.js$/ }, () => ({
      contents:
        "import constants from './generated/YGEnums.js'; export default { ...constants }; export * from './generated/YGEnums.js';",
    }));
  },
};

/**
 * What the console's packages need beside. Where their modules are is asked for by those who develop them alone. All text is in the heap that
 * every command copies, and this is the longest piece of it: its names are short ones.
 */
const forScreen = {
  minifyIdentifiers: true,
  define: {
    'process.env.NODE_ENV': '"production"',
    'import.meta.url': '"file:///"',
    'import.meta.resolve': 'undefined',
  },
  plugins: [withoutWaiting],
} as const satisfies BuildOptions;

/**
 * Packages behind an `import()` are each bundled by themselves, into one function. Else esbuild would put their functions beside all others at
 * the top, and the snapshot would hold every one of them.
 */
const latePackages: Plugin = {
  name: 'late-packages',
  setup: (bundler) => {
    const resolved = { path: '', namespace: 'late-package' };
    bundler.onResolve({ filter: /^/ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
      if (kind !== 'dynamic-import' || path.startsWith('node:') || pluginData === resolved) return null;
      const found = await bundler.resolve(path, { kind, resolveDir, importer, pluginData: resolved });
      if (found.errors.length > 0) return found;
      // A module of ours that imports others of ours stays among them: by itself it would have copies, and their classes would be two.
      const ours = !found.path.includes('node_modules/');
      if (
        ours &&
        !standsAlone.test(found.path) &&
        /^import (?!type ).* from '\.|^\} from '\./mu.test(readFileSync(found.path, 'utf8'))
      )
        return null;
      // What it is bundled into is CommonJS, whatever it was.
      return { path: `${found.path}.cjs`, namespace: resolved.namespace };
    });
    bundler.onLoad({ filter: /^/, namespace: resolved.namespace }, async ({ path: named }) => {
      const path = named.replace(/\.cjs$/u, '');
      const { outputFiles, metafile } = await build({
        ...common,
        entryPoints: [path],
        write: false,
        legalComments: 'inline',
        ...(standsAlone.test(path) ? forScreen : {}),
      });
      const own = Object.keys(metafile.inputs).filter(
        (file) => !file.includes('node_modules/') && !standsAlone.test(`/${file}`),
      );
      if (own.length > (standsAlone.test(path) ? 0 : 1))
        throw new Error(`${path} is loaded late, and imports ${own.join(', ')}`);
      return { contents: outputFiles[0]?.text ?? '' };
    });
  },
};

/**
 * @param banner put before everything
 * @returns modules of Node that it imports, early or late
 */
export async function bundleProgram(
  entry: string,
  outfile: string,
  banner: string,
): Promise<readonly string[]> {
  const { metafile } = await build({
    ...common,
    entryPoints: [entry],
    outfile,
    plugins: [lateBuiltins, latePackages],
    banner: { js: banner },
    legalComments: 'eof',
  });
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  return imports.map(({ path }) => path).filter((path) => isBuiltin(path));
}
