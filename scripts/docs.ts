/**
 * Writes what is rendered from the program itself: the command table of the README, the manual page, the schema and the page of errors.
 * `npm run docs` writes, a test compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Command, Option } from 'commander';
import { makeProgram } from '../commands/program.ts';
import { version } from '../commands/version.ts';
import { outcomes } from '../src/errors.ts';
import { findingKinds } from '../src/vault/health/finding-kinds.ts';
import { metrics } from '../src/vault/operations/metrics.ts';
import { renderErrors } from './error-page.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Where in a document something rendered stands. */
const places = {
  commands: { start: '<!-- commands: written by `npm run docs` -->\n', end: '<!-- /commands -->' },
  findings: { start: '<!-- findings: written by `npm run docs` -->\n', end: '<!-- /findings -->' },
  metrics: { start: '<!-- metrics: written by `npm run docs` -->\n', end: '<!-- /metrics -->' },
} as const;

/** @throws Error where the document has no such place */
function withRendered(document: string, place: keyof typeof places, rendered: string): string {
  const { start, end } = places[place];
  const from = document.indexOf(start) + start.length;
  const to = document.indexOf(end);
  if (from < start.length || to < from) throw new Error(`the document has no place for the ${place}`);
  return document.slice(0, from) + rendered + document.slice(to);
}

function program(): Command {
  const nothing = (): void => undefined;
  return makeProgram(() => async () => Promise.resolve(), { out: nothing, error: nothing, width: () => 80 });
}

/** Some commands do something by themselves, and have others below them: they have options of their own. */
const isGroup = (command: Command): boolean =>
  command.commands.length > 0 && command.options.every((option) => option.helpGroupHeading !== undefined);

/** Commands that do something: groups give way to what is in them. */
function visible(command: Command): Command[] {
  const own = command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help');
  return own.flatMap((one) => [...(isGroup(one) ? [] : [one]), ...visible(one)]);
}

/** `access add`: a command's words after the program's name. */
function fullName(command: Command): string {
  const { parent } = command;
  const below = parent?.parent === null ? null : parent;
  return below === null ? command.name() : `${fullName(below)} ${command.name()}`;
}

function usage(command: Command): string {
  const aliases = command.aliases().length === 0 ? '' : ` (${command.aliases().join(', ')})`;
  const words = command.registeredArguments.map((argument) => {
    // What comes after `--` is another program's.
    const dashes = argument.name() === 'command' ? '-- ' : '';
    const name = `${dashes}${argument.name().toUpperCase()}${argument.variadic ? '…' : ''}`;
    return argument.required ? name : `[${name}]`;
  });
  return `${[fullName(command), ...words].join(' ')}${aliases}`;
}

function commandTable(all: Command): string {
  const rows = visible(all).map((command) => `| \`${usage(command)}\` | ${command.description()} |`);
  return ['| command | does |', '|---|---|', ...rows, ''].join('\n');
}

/** README.md with the table of commands that the program has. */
export function renderReadme(readme: string): string {
  return withRendered(readme, 'commands', commandTable(program()));
}

/** docs/metrics.md with the table of metrics that the program writes. */
export function renderMetrics(document: string): string {
  const rows = metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`);
  return withRendered(
    document,
    'metrics',
    ['| metric | type | meaning |', '|---|---|---|', ...rows, ''].join('\n'),
  );
}

/** docs/health.md with the table of what `doctor` can find. */
export function renderHealth(document: string): string {
  const rows = Object.entries(findingKinds).map(
    ([id, { severity, meaning, hint }]) => `| \`${id}\` | ${severity} | ${meaning} | ${hint} |`,
  );
  return withRendered(
    document,
    'findings',
    ['| id | severity | found when | mended by |', '|---|---|---|---|', ...rows, ''].join('\n'),
  );
}

/** Text for troff: backslashes and leading dots would be read as commands, hyphens as typography. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
    .replaceAll('’', "'")
    .replaceAll('…', '...');
}

function optionLines(options: readonly Option[]): string[] {
  return options.flatMap((option) =>
    option.hidden ? [] : ['.TP', `.B ${roff(option.flags)}`, roff(option.description)],
  );
}

function commandSection(command: Command, globals: ReadonlySet<string>): string[] {
  const own = command.options.filter((option) => !globals.has(option.flags));
  return ['.SS', roff(usage(command)), `${roff(command.description())}.`, ...optionLines(own)];
}

/** docs/man/vault.1 */
export function renderManual(): string {
  const all = program();
  const globals = new Set(all.options.map((option) => option.flags));
  const lines = [
    `.TH VAULT 1 "" "vault ${version}" "User Commands"`,
    '.SH NAME',
    `vault \\- ${roff(all.description())}`,
    '.SH SYNOPSIS',
    '.B vault',
    '[options] COMMAND [arguments]',
    '.SH COMMANDS',
    ...visible(all).flatMap((command) => commandSection(command, globals)),
    '.SH GLOBAL OPTIONS',
    ...optionLines(all.options),
    '.SH ENVIRONMENT',
    ...Object.entries(variables).flatMap(([name, meaning]) => ['.TP', `.B ${name}`, roff(meaning)]),
    '.SH EXIT STATUS',
    ...Object.entries(exits).flatMap(([status, meaning]) => ['.TP', `.B ${status}`, roff(meaning)]),
    '.SH FILES',
    '.TP',
    '.I .vault/secrets.vault',
    'the vault, looked for from the working folder upward; beside it the audit log, the lock, and the name of its last holder',
    '.TP',
    '.I $XDG_STATE_HOME/vault',
    roff(
      'what this machine remembers of each vault, so that an older copy put in its place is noticed; in trust, the files accepted with vault trust; in counts, how far the records of a log have been counted',
    ),
    '.TP',
    '.I vault.json',
    roff(
      'of a project, looked for from the working folder upward: environment, vault, and the secrets that exec hands over. Which vault it names counts only after vault trust',
    ),
    '.TP',
    '.I $XDG_CONFIG_HOME/vault/config.json',
    roff('your own defaults: vault, environment, principal, kdfEngine'),
  ];
  return `${lines.join('\n')}\n`;
}

/** docs/schemas/error.schema.json */
export function renderErrorSchema(): string {
  const text = { type: 'string', minLength: 1 };
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'errors under --json',
    description:
      'What stands on standard error where a command with --json fails. The code is the contract; it decides the exit status.',
    type: 'object',
    additionalProperties: false,
    required: ['code', 'message', 'hint'],
    properties: {
      code: { enum: Object.keys(outcomes) },
      message: { description: 'What happened, and to what; for people.', ...text },
      hint: { description: 'What to do next; for people.', ...text },
    },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

const variables: Readonly<Record<string, string>> = {
  VAULT_PATH: 'the vault; a folder means secrets.vault in it',
  VAULT_ENVIRONMENT: 'as --env',
  VAULT_PRINCIPAL: 'as --as',
  VAULT_AUDIT_FILE: 'the audit log, where it is not beside the vault',
  VAULT_BACKUP_PATH: 'where vault backup puts its copies: a file, or a folder with / after its name',
  'VAULT_PASSPHRASE_FD, VAULT_PASSPHRASE_FILE, VAULT_PASSPHRASE_COMMAND, VAULT_PASSPHRASE':
    'the passphrase, in this order',
  VAULT_KEY_FILE: 'as --key-file',
  'VAULT_ACCESS_TOKEN, VAULT_ACCESS_TOKEN_FILE':
    'a machine token; a bad one fails and never falls through to something else',
  VAULT_PKCS11_MODULE:
    'the PKCS#11 library of your device: an absolute path, or the name of a file in the system’s library folders (default: p11-kit’s). With a device in the vault, setting it or the next one says that the device is to unlock',
  VAULT_PKCS11_PIN_FILE: 'a file with the PIN of that device',
  VAULT_AGE_IDENTITY:
    'a file with an age identity, which unlocks alone a vault that has a slot for one; a bad one fails and never falls through to something else',
  VAULT_KDF_ENGINE: 'wasm (default) or native: which implementation of Argon2id computes',
  VAULT_TRUST_PROJECT:
    'SHA-256 of a vault.json that is trusted, in hexadecimal; for CI, instead of vault trust',
  VAULT_TRUST_HOOKS:
    'hashes of hooks that are trusted, as vault hook show prints them, with commas; for CI, instead of vault hook trust',
};

const exits: Readonly<Record<string, string>> = {
  0: 'done',
  1: 'the answer is no: different, found, unhealthy',
  2: 'usage, weak value, colliding names',
  3: 'not found: secret, version, vault',
  4: 'could not unlock, or locked out',
  5: 'access denied, or a project that is not trusted',
  6: 'secret expired',
  7: 'integrity: tampered, damaged, rolled back, unsafe link or owner, newer format',
  8: 'conflict: lock held, version moved on, exists already',
  9: 'disk or backend: unreachable, full, read-only',
  10: 'audit log could not be written; nothing was done',
  70: 'internal error',
  125: 'exec: any failure of ours before the program runs; 126, 127, 128+N as a shell; 124 for --timeout',
  130: 'interrupted',
};

if (import.meta.main) {
  const readme = path.join(root, 'README.md');
  writeFileSync(readme, renderReadme(readFileSync(readme, 'utf8')));
  const metricsPage = path.join(root, 'docs/metrics.md');
  writeFileSync(metricsPage, renderMetrics(readFileSync(metricsPage, 'utf8')));
  const healthPage = path.join(root, 'docs/health.md');
  writeFileSync(healthPage, renderHealth(readFileSync(healthPage, 'utf8')));
  writeFileSync(path.join(root, 'docs/man/vault.1'), renderManual());
  writeFileSync(path.join(root, 'docs/schemas/error.schema.json'), renderErrorSchema());
  writeFileSync(path.join(root, 'docs/errors.md'), renderErrors());
}
