/**
 * Stored hooks: what rotates a secret where it is used, under an id that secrets name. They stand in an environment's sealed policy, signed by
 * an administrator, or in the user's own configuration. docs/format.md section 12, docs/rotation.md.
 */
import { IntegrityError } from '../errors.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { encodeJson, parseJson } from './json-line.ts';
import { limits } from './limits.ts';
import { list, object, text, tuple } from './schema.ts';

/** Shell commands of a hook. `command` prints a new value; the others get both values. */
export const hookCommands = ['command', 'apply', 'check', 'undo', 'retire'] as const;
export type HookCommand = (typeof hookCommands)[number];

interface Setting {
  readonly required: boolean;
  readonly meaning: string;
}

const admin = (required: boolean, meaning: string): Setting => ({ required, meaning });

/** Hooks that the program brings, with the settings that they take. */
export const readyHooks = {
  postgres: {
    admin: admin(false, 'secret of a role that may set the password; without it the role sets its own'),
  },
  'postgres-alternating': {
    admin: admin(true, 'secret of a role that may set both passwords'),
    roles: { required: true, meaning: 'the two roles, with a comma' },
  },
  redis: {
    admin: admin(false, 'secret of a user that may set the password; without it the user sets its own'),
    plain: { required: false, meaning: '`yes`: without TLS to a server on another host' },
  },
  http: {
    apply: { required: true, meaning: 'where the new value is posted to' },
    check: { required: false, meaning: 'where it is asked whether the new value works' },
    undo: { required: false, meaning: 'where it is asked to go back to the old value' },
    retire: { required: false, meaning: 'where it is asked to let the old value go' },
    token: { required: false, meaning: 'secret that is sent as a bearer token' },
  },
} as const satisfies Record<string, Readonly<Record<string, Setting>>>;

export type ReadyHook = keyof typeof readyHooks;

export type HookDefinition =
  | { readonly use: null; readonly commands: Readonly<Partial<Record<HookCommand, string>>> }
  | { readonly use: ReadyHook; readonly settings: ReadonlyMap<string, string> };

/** Longest command or setting, in bytes. */
export const hookText = 8_192;

const idForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Why a text cannot be the id of a hook, or `null`. */
export function hookIdProblem(id: string): string | null {
  return idForm.test(id) ? null : 'it is letters, digits, `.`, `_` and `-`, at most 64';
}

export function isReadyHook(id: string): id is ReadyHook {
  return Object.hasOwn(readyHooks, id);
}

/** The hook that the program brings under an id, where it needs no settings; else `null`. */
export function builtInHook(id: string): HookDefinition | null {
  const ready: HookDefinition | null = isReadyHook(id) ? { use: id, settings: new Map() } : null;
  return ready !== null && hookProblem(ready) === null ? ready : null;
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
  if (definition.use === null) {
    const { command, apply, check, undo } = definition.commands;
    if (command === undefined && apply === undefined && check === undefined)
      return 'it has neither `command` nor `apply` nor `check`';
    return undo !== undefined && apply === undefined ? '`undo` takes back what `apply` did: give both' : null;
  }
  const known: Readonly<Record<string, Setting>> = readyHooks[definition.use];
  for (const [name, value] of definition.settings) {
    if (!Object.hasOwn(known, name)) return `${definition.use} has no setting ${JSON.stringify(name)}`;
    if (value === '') return `the setting ${name} is empty`;
  }
  for (const [name, { required }] of Object.entries(known))
    if (required && !definition.settings.has(name)) return `${definition.use} needs the setting ${name}`;
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
