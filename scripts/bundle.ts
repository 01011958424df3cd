/** One CommonJS file out of an entry and all that it imports, made to start fast as a snapshot; and one for each package that is loaded late. */
import { readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { root } from './target.ts';

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
 * What the console's packages need beside. Where their modules are is asked for by those who develop them alone. So much text is gone through
 * when the console starts that its names are short ones.
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

/** What stands in the bundle for a package that is loaded late calls it. */
const loader = join(import.meta.dirname, 'late-package.ts');

/**
 * Packages behind an `import()` are each bundled by themselves, and their text is kept out of the bundle: whatever is in that is in the heap
 * that every command copies.
 * @param texts is given them, by the names under which the bundle asks for them
 */
function latePackages(texts: Map<string, string>): Plugin {
  return {
    name: 'late-packages',
    setup: (bundler) => {
      const resolved = { path: '', namespace: 'late-package' };
      bundler.onResolve({ filter: /^/ }, async ({ path: asked, kind, resolveDir, importer, pluginData }) => {
        if (kind !== 'dynamic-import' || asked.startsWith('node:') || pluginData === resolved) return null;
        const found = await bundler.resolve(asked, { kind, resolveDir, importer, pluginData: resolved });
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
        const file = named.replace(/\.cjs$/u, '');
        const name = `late:${relative(root, file)
          .replaceAll(sep, '/')
          .replace(/^.*node_modules\//u, '')}`;
        texts.set(name, await bundleLate(file));
        const call = `require(${JSON.stringify(loader)}).loadLate(${JSON.stringify(name)}, require)`;
        return { contents: `module.exports = ${call};`, resolveDir: root };
      });
    },
  };
}

async function bundleLate(file: string): Promise<string> {
  const { outputFiles, metafile } = await build({
    ...common,
    entryPoints: [file],
    write: false,
    legalComments: 'eof',
    ...(standsAlone.test(file) ? forScreen : {}),
  });
  const own = Object.keys(metafile.inputs).filter(
    (input) => !input.includes('node_modules/') && !standsAlone.test(`/${input}`),
  );
  if (own.length > (standsAlone.test(file) ? 0 : 1))
    throw new Error(`${file} is loaded late, and imports ${own.join(', ')}`);
  return outputFiles[0]?.text ?? '';
}

/**
 * @param banner put before everything
 * @returns the text of each package that is loaded late, by the name of the asset as which the bundle asks for it
 */
export async function bundleProgram(
  entry: string,
  outfile: string,
  banner: string,
): Promise<ReadonlyMap<string, string>> {
  const late = new Map<string, string>();
  await build({
    ...common,
    entryPoints: [entry],
    outfile,
    plugins: [lateBuiltins, latePackages(late)],
    banner: { js: banner },
    legalComments: 'eof',
  });
  return late;
}
