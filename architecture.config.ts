/**
 * The architecture: imports run downward,
 *
 *   bin -> commands -> vault -> access, audit, lifecycle, providers -> format, crypto, storage
 *
 * with `config`, `exec`, `hooks`, `devices` and `terminal` beside the core, for commands only; and `library` on top of it, beside commands, for
 * programs that embed it. Files directly in src/ (errors, for one) are the common ground that everything may import and that import nothing
 * from the folders; src/index.ts is none of them, but the face of the library.
 */

import type { IConfiguration, IForbiddenRuleType } from 'dependency-cruiser';

const core = 'vault|access|audit|lifecycle|providers|format|crypto|storage';

/** Source folders that files under `folder` must not import; bin/ and commands/ are above all of them. */
function keepOut(name: string, folder: string, others: string, comment: string): IForbiddenRuleType {
  return {
    name,
    comment,
    severity: 'error',
    from: { path: `^src/${folder}/` },
    to: { path: `^(bin|commands)/|^src/(${others})/` },
  };
}

/** Modules, built in or installed, that files under `from` must not import. */
function without(
  name: string,
  from: IForbiddenRuleType['from'],
  modules: string,
  comment: string,
): IForbiddenRuleType {
  return {
    name,
    comment,
    severity: 'error',
    from,
    to: { path: `^(node:)?(${modules})$|^node_modules/(${modules})/` },
  };
}

const architecture: IConfiguration = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Two files that need each other are one noun, or hide a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'An import that cannot be found is a mistake, or a package that package.json does not name.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared-at-run-time',
      comment: 'What the binary contains is a dependency, pinned as one; development tools stay outside.',
      severity: 'error',
      from: { path: '^(bin|commands|src)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nobody-imports-bin',
      comment: 'bin/ starts the program and holds nothing else that anyone could need.',
      severity: 'error',
      from: { pathNot: '^(bin|test)/' },
      to: { path: '^bin/' },
    },
    {
      name: 'common-ground-is-lowest',
      comment: 'Everything may import the files directly in src/, so they can import only each other.',
      severity: 'error',
      from: { path: '^src/[^/]+$', pathNot: '^src/index[.]ts$' },
      to: { path: '^(bin|commands)/|^src/[^/]+/|^src/index[.]ts$' },
    },
    {
      name: 'library-is-on-top',
      comment:
        'It is for other programs: what this one needs, too, belongs below, and nothing of it in the start-up snapshot.',
      severity: 'error',
      from: { pathNot: '^(test/|src/library/|src/index[.]ts$)' },
      to: { path: '^src/(library/|index[.]ts$)' },
    },
    {
      name: 'library-is-no-program',
      comment: 'An embedding program passes its options in code, and has a terminal and children of its own.',
      severity: 'error',
      from: { path: '^src/(library/|index[.]ts$)' },
      to: { path: '^(bin|commands)/|^src/(config|exec|hooks|devices|terminal)/' },
    },
    keepOut(
      'vault-shows-nothing',
      'vault',
      'config|exec|hooks|devices|terminal',
      'The core is one door for commands, embedding programs and tests: it launches nothing and shows nothing.',
    ),
    keepOut(
      'parts-know-no-vault',
      '(access|audit|lifecycle|providers)',
      'vault|config|exec|hooks|devices|terminal',
      'The parts that the core is made of know bytes, keys and rules, not the open vault that joins them.',
    ),
    keepOut(
      'storage-is-at-the-bottom',
      'storage',
      'vault|access|audit|lifecycle|providers|config|exec|hooks|devices|terminal',
      'Storage puts documents on a disk, whole or not at all; who may read or change them is decided above it.',
    ),
    keepOut(
      'format-knows-no-disk',
      'format',
      'vault|access|audit|lifecycle|providers|storage|config|exec|hooks|devices|terminal',
      'The format is bytes to typed document and back, the same on every machine: it may hash, and knows no disk.',
    ),
    keepOut(
      'crypto-stands-alone',
      'crypto',
      'vault|access|audit|lifecycle|providers|format|storage|config|exec|hooks|devices|terminal',
      'Reviewed alone against the standards: nothing from elsewhere may be needed to understand it.',
    ),
    keepOut(
      'config-knows-no-disk',
      'config',
      'vault|access|audit|lifecycle|providers|storage|exec|hooks|devices|terminal',
      'What a configuration file may hold is decided from its bytes; where it is and whether it is trusted, above.',
    ),
    keepOut(
      'exec-is-beside-the-core',
      'exec',
      'access|audit|lifecycle|providers|format|crypto|config|hooks|devices|terminal',
      'Starting a program needs names and values only, through the types of the core and the file-system port.',
    ),
    keepOut(
      'devices-are-beside-the-core',
      'devices',
      'vault|access|audit|lifecycle|providers|storage|config|hooks|terminal',
      'A device is handed bytes and gives back bytes: it knows no vault, and asks nobody for a PIN but the function it is given.',
    ),
    keepOut(
      'hooks-are-beside-the-core',
      'hooks',
      'vault|access|audit|providers|storage|config|devices|terminal',
      'A hook is handed values and speaks to a server: it opens no vault, and asks for other secrets through the function that it is given.',
    ),
    keepOut(
      'terminal-is-beside-the-core',
      'terminal',
      `${core}|config|exec|hooks|devices`,
      'Rendering takes plain data, so that it can be tested without a vault and changed without a review of the core.',
    ),
    {
      name: 'exec-sees-types-of-vault',
      comment: 'src/exec is handed what it launches; it never opens a vault.',
      severity: 'error',
      from: { path: '^src/exec/' },
      to: { path: '^src/vault/', dependencyTypesNot: ['type-only'] },
    },
    without(
      'pure-has-no-machine',
      { path: '^src/(crypto|format|config)/' },
      'fs|fs/promises|os|process|child_process|net|http|https|tty|readline|readline/promises|worker_threads|timers|timers/promises',
      'crypto/, format/ and config/ turn bytes into bytes: no file, clock, process or network, so that vectors are reproducible.',
    ),
    without(
      'one-place-knows-a-terminal',
      { path: '^(src|commands|bin)/', pathNot: '^src/terminal/' },
      'chalk|@inquirer/[^/]+|cli-table3|ink|react|wrap-ansi|yoga-layout|tty|readline|readline/promises',
      'Prompts, colours and tables live in src/terminal, which decides once whether there is a person to see them.',
    ),
    without(
      'commands-are-thin',
      { path: '^commands/' },
      'fs|fs/promises|crypto|child_process|sqlite|hash-wasm|hpke|@noble/[^/]+',
      'A command reads its options, makes one call and hands back the result. Files and keys are the work of the core.',
    ),
    {
      name: 'commands-use-the-door',
      comment: 'Keys are handled behind src/vault, where they are wiped and checked.',
      severity: 'error',
      from: { path: '^commands/' },
      to: { path: '^src/crypto/' },
    },
    without(
      'one-argument-parser',
      { path: '^src/' },
      'commander',
      'Arguments are the concern of bin/ and commands/; the core takes typed options.',
    ),
  ],
  options: {
    // swc reads TypeScript as it stands; the TypeScript compiler's own new version has no interface for this tool.
    parser: 'swc',
    doNotFollow: { path: '^node_modules/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
    cache: false,
  },
};

export default architecture;
