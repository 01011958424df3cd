/**
 * Stored hooks: what rotates a secret where it is used, under an id that secrets name. They stand in an environment's sealed policy, signed by
 * an administrator, or in the user's own configuration. docs/format.md section 12, docs/rotation.md.
 */
import { IntegrityError } from '../errors.ts';
import { utf8, type Bytes } from '../crypto/bytes.ts';
import { encodeJson, parseJson } from './json-line.ts';
import { limits } from './limits.ts';
import { readyHooks, type Setting } from './ready-hooks.ts';
import { list, object, text, tuple } from './schema.ts';

/** Shell commands of a hook. `command` prints a new value; the others get both values. */
export const hookCommands = ['command', 'apply', 'check', 'undo', 'retire'] as const;
export type HookCommand = (typeof hookCommands)[number];

export type ReadyHook = keyof typeof readyHooks;

export type HookDefinition =
  | { readonly use: null; readonly commands: Readonly<Partial<Record<HookCommand, string>>> }
  | { readonly use: ReadyHook; readonly settings: ReadonlyMap<string, string> };

/** Longest command or setting, in bytes. */
export const hookText = 8_192;

const idForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Why a text cannot be the id of a hook, or `null`. */
export function hookIdProblem(id: string): string | null {
  if (id === 'none') return '`none` is no hook';
  return idForm.test(id) ? null : 'it is letters, digits, `.`, `_` and `-`, at most 64';
}

export function isReadyHook(id: string): id is ReadyHook {
  return Object.hasOwn(readyHooks, id);
}

/** Whether it has a step that lets an old value go. */
export function canRetire(definition: HookDefinition): boolean {
  switch (definition.use) {
    case null:
      return definition.commands.retire !== undefined;
    case 'http':
      return definition.settings.has('retire');
    case 'postgres':
      return false;
    case 'postgres-alternating':
    case 'redis':
      return true;
    default:
      return definition satisfies never;
  }
}

/** Why a definition will not do, or `null`. */
export function hookProblem(definition: HookDefinition): string | null {
  const texts = definition.use === null ? Object.entries(definition.commands) : [...definition.settings];
  for (const [name, said] of texts) {
    if (said === '') return `\`${name}\` is empty`;
    if (utf8(said).length > hookText) return `\`${name}\` is longer than ${hookText} bytes`;
  }
  return definition.use === null
    ? commandsProblem(definition.commands)
    : settingsProblem(definition.use, definition.settings);
}

const needsCheck = '`retire` lets an old value go once `check` has seen the new one work: give both';

function commandsProblem({
  retire,
  command,
  apply,
  check,
  undo,
}: Partial<Record<HookCommand, string>>): string | null {
  if (command === undefined && apply === undefined && check === undefined)
    return 'it has neither `command` nor `apply` nor `check`';
  if (retire !== undefined && check === undefined) return needsCheck;
  return undo !== undefined && apply === undefined ? '`undo` takes back what `apply` did: give both' : null;
}

function settingsProblem(use: ReadyHook, settings: ReadonlyMap<string, string>): string | null {
  const known: Readonly<Record<string, Setting>> = readyHooks[use];
  for (const [name, value] of settings) {
    const one = Object.hasOwn(known, name) ? known[name] : undefined;
    if (one === undefined) return `${use} has no setting ${JSON.stringify(name)}`;
    const problem = one.problem(value);
    if (problem !== null) return `the setting ${name} will not do: ${problem}`;
  }
  if (settings.has('retire') && !settings.has('check')) return needsCheck;
  for (const [name, { required }] of Object.entries(known))
    if (required && !settings.has(name)) return `${use} needs the setting ${name}`;
  return null;
}

const stored = object({
  use: text(limits.label),
  settings: list(tuple(text(limits.label, 1), text(hookText)), 32),
  commands: list(tuple(text(limits.label, 1), text(hookText, 1)), hookCommands.length),
});

/** The one spelling of a definition: what is stored, and what its hash is of. */
export function encodeHook(definition: HookDefinition): Bytes {
  const pairs = (all: Iterable<readonly [string, string]>): [string, string][] =>
    [...all].map(([name, value]): [string, string] => [name, value]).sort(([a], [b]) => (a < b ? -1 : 1));
  const value =
    definition.use === null
      ? { use: '', settings: [], commands: pairs(Object.entries(definition.commands)) }
      : { use: definition.use, settings: pairs(definition.settings), commands: [] };
  return encodeJson(value, stored, 'hook');
}

/** @throws IntegrityError for what this program does not know, as made by a newer one */
export function parseHook(bytes: Bytes): HookDefinition {
  const { use, settings, commands } = parseJson(bytes, stored, 'hook');
  const newer = (): never => {
    throw new IntegrityError('the vault has a hook that this program does not know', {}, 'NEWER_FORMAT');
  };
  if (use !== '' && !isReadyHook(use)) return newer();
  const known: readonly string[] = hookCommands;
  if (commands.some(([name]) => !known.includes(name))) return newer();
  const definition: HookDefinition =
    use === '' ? { use: null, commands: Object.fromEntries(commands) } : { use, settings: new Map(settings) };
  return hookProblem(definition) === null ? definition : newer();
}
