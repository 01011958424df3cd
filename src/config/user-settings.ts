/**
 * The user's own `config.json`: defaults for all of their vaults, weaker than flags, variables and a project's file.
 * docs/schemas/config.schema.json says the same to editors.
 */
import type { HookDefinition } from '../format/hook.ts';
import { hooks } from './hooks.ts';
import { ConfigText, parseJsonTree } from './json-tree.ts';
import { flag, label, object, oneOf, path, schemaReference, type Shape } from './shape.ts';

export interface UserSettings {
  /** Where the user's own vault is: absolute, or below the home folder with `~/` in front. */
  readonly vault: string | null;
  readonly environment: string | null;
  readonly principal: string | null;
  readonly kdfEngine: 'wasm' | 'native' | null;
  /** Whether a passphrase prompt starts a session. */
  readonly sessionAuto: boolean;
  /** Hooks that rotate secrets, by id. */
  readonly hooks: ReadonlyMap<string, HookDefinition>;
}

const ownVault: Shape<string> = (node, place, source) => {
  const value = path(node, place, source);
  return /^(?:\/|~\/|[A-Za-z]:[\\/])/.test(value)
    ? value
    : source.refuse(node.at, `${place} must be an absolute path, or begin with ~/`);
};

const shape = object({
  $schema: schemaReference,
  vault: ownVault,
  environment: label,
  principal: label,
  kdfEngine: oneOf('wasm', 'native'),
  session: object({ auto: flag }),
  hooks,
});

export const noUserSettings: UserSettings = {
  vault: null,
  environment: null,
  principal: null,
  kdfEngine: null,
  sessionAuto: false,
  hooks: new Map(),
};

/** @param file its path, for messages. @throws UsageError with the line of what is wrong */
export function parseUserSettings(bytes: Uint8Array, file: string): UserSettings {
  const source = new ConfigText(file, bytes);
  const { session, ...found } = shape(parseJsonTree(source), '', source);
  const { vault, environment, principal, kdfEngine } = found;
  return {
    vault: vault ?? null,
    environment: environment ?? null,
    principal: principal ?? null,
    kdfEngine: kdfEngine ?? null,
    sessionAuto: session?.auto ?? false,
    hooks: found.hooks ?? new Map<string, HookDefinition>(),
  };
}
