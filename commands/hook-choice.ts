/**
 * Which hook rotates a secret: commands of the command line, else the stored hook that is named there or by the secret. A stored one is in the
 * environment's signed policy, and runs only once the user has accepted it; or it is the user's own, and then has to be
 * named on the command line: who may write to a vault must not choose among what a user has.
 */
import { AccessDeniedError, SecretNotFoundError, UsageError } from '../src/errors.ts';
import { encodeHook, isReadyHook, type HookDefinition } from '../src/format/hook.ts';
import { noHook, type RotationHook } from '../src/hooks/rotation-hook.ts';
import { readyHook } from '../src/hooks/ready.ts';
import { sessionsOf } from '../src/hooks/session.ts';
import { shellHook } from '../src/hooks/shell.ts';
import { acceptedHash } from '../src/storage/trust-store.ts';
import { getSecret } from '../src/vault/operations/get.ts';
import { findHook, type StoredHook } from '../src/vault/operations/hooks.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { Vault } from '../src/vault/vault.ts';
import type { Context } from './context.ts';
import type { TurnTaker } from './turns.ts';

export interface HookFlags {
  readonly apply?: string;
  readonly check?: string;
  readonly undo?: string;
  /** Id of a stored hook, or `false`: none. */
  readonly hook?: string | false;
}

export interface ChosenHook {
  readonly hook: RotationHook;
  /** Prints a new value. */
  readonly command: string | null;
  /** The folder in which its commands run; `undefined` for the present one. */
  readonly cwd?: string | undefined;
}

type Target = Pick<SecretInfo, 'name' | 'environment' | 'hook'>;

/** Where a stored hook comes from. */
export type HookOrigin = 'your configuration' | 'policy';

export interface FoundHook {
  readonly definition: HookDefinition;
  readonly origin: HookOrigin;
  /** In the policy: by what its acceptance is kept. */
  readonly key: string | null;
}

/**
 * By what the acceptance of an environment's hook is kept. Commands are accepted for the folder that they run in: beside a copy of the vault
 * there may be other scripts of the same names.
 */
export function trustKey(
  context: Pick<Context, 'projectFolder'>,
  vaultId: string,
  { environmentId, id, definition }: Pick<StoredHook, 'environmentId' | 'id' | 'definition'>,
): string {
  const key = `${vaultId}/${environmentId}/${id}`;
  return definition.use === null ? `${key} in ${context.projectFolder ?? ''}` : key;
}

/** The hash that is accepted: of everything that the hook says. */
export async function hookHash(definition: HookDefinition): Promise<string> {
  return acceptedHash(encodeHook(definition));
}

/** Whether it does what somebody else has said: runs their commands, or speaks to the servers that they name. */
export const needsTrust = ({ origin }: FoundHook): boolean => origin === 'policy';

/** A hook of the environment's policy. @throws SecretNotFoundError HOOK_NOT_FOUND */
export async function findPolicyHook(
  context: Pick<Context, 'projectFolder'>,
  vault: Pick<Vault, 'goOn'>,
  environment: string | null,
  id: string,
): Promise<FoundHook> {
  const found = await vault.goOn(async (scope) => {
    const stored = await findHook(scope, environment, id);
    return stored === null ? null : { stored, vaultId: scope.document.vaultId };
  });
  if (found === null)
    throw new SecretNotFoundError(
      `there is no hook ${id}`,
      isReadyHook(id) ? { hint: `\`vault hook set ID --use ${id} --set …\` stores one` } : {},
      'HOOK_NOT_FOUND',
    );
  return {
    definition: found.stored.definition,
    origin: 'policy',
    key: trustKey(context, found.vaultId, found.stored),
  };
}

export async function isTrusted(context: Context, { definition, key }: FoundHook): Promise<boolean> {
  const hash = await hookHash(definition);
  const named = (context.variable('VAULT_TRUST_HOOKS') ?? '').toLowerCase().split(/[\s,]+/u);
  if (named.includes(hash)) return true;
  return key !== null && (await context.settings.hookTrustStore.find(key))?.sha256 === hash;
}

/** Finds hooks, each once. */
export class HookChoice {
  readonly #context: Context;
  readonly #vault: TurnTaker;
  readonly #flags: HookFlags;
  readonly #stored = new Map<string, Promise<FoundHook>>();

  constructor(context: Context, vault: TurnTaker, flags: HookFlags) {
    for (const step of ['apply', 'check', 'undo'] as const)
      if (flags[step]?.trim() === '') throw new UsageError(`--${step} is empty: there is nothing to run`);
    if (typeof flags.hook === 'string' && this.#given(flags))
      throw new UsageError('--hook and hooks of your own exclude each other');
    this.#context = context;
    this.#vault = vault;
    this.#flags = flags;
  }

  #given({ apply, check, undo }: HookFlags): boolean {
    return [apply, check, undo].some((command) => command !== undefined);
  }

  /** @throws SecretNotFoundError HOOK_NOT_FOUND; AccessDeniedError UNTRUSTED_HOOK; UsageError */
  async of(target: Target): Promise<ChosenHook> {
    const { apply, check, undo, hook: named } = this.#flags;
    if (this.#given(this.#flags))
      return { hook: this.#shell({ apply, check, undo }, undefined), command: null };
    const id = named === false ? null : (named ?? target.hook);
    if (id === null) return { hook: noHook, command: null };
    const own = named === id ? this.#context.settings.hooks.get(id) : undefined;
    const definition = own ?? (await this.#find(target.environment, id)).definition;
    if (definition.use === null) {
      // What it says means the same wherever somebody happens to be.
      const cwd = own === undefined ? this.#context.projectFolder : undefined;
      const command = definition.commands.command ?? null;
      return { hook: this.#shell(definition.commands, cwd), command, cwd };
    }
    const { environment } = target;
    const { self, env } = this.#context.host;
    const hook = await readyHook(definition.use, {
      settings: definition.settings,
      random: (length) => this.#context.random(length),
      secrets: async (name) => this.#secret(environment, name),
      warn: (message) => {
        this.#context.warn(message);
      },
      session: sessionsOf({ self, environment: env, keeper: this.#context.keeper }),
    });
    return { hook, command: null };
  }

  #shell(commands: Readonly<Record<string, string | undefined>>, cwd: string | undefined): RotationHook {
    const { host, keeper } = this.#context;
    const surroundings = { environment: host.env, report: this.#context.writeTo('error'), keeper, cwd };
    return shellHook(commands, surroundings);
  }

  /** A value that a hook needs beside the one that it rotates; on record. */
  async #secret(environment: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
    const options = { environment, name, version: null, field: null, allowExpired: false };
    const { value } = await this.#vault.read('rotate-use', async (scope) => getSecret(scope, options));
    try {
      return Uint8Array.from(value.bytes);
    } finally {
      value.wipe();
    }
  }

  async #find(environment: string, id: string): Promise<FoundHook> {
    const key = `${environment}\n${id}`;
    const known = this.#stored.get(key) ?? this.#look(environment, id);
    this.#stored.set(key, known);
    return known;
  }

  async #look(environment: string, id: string): Promise<FoundHook> {
    const context = this.#context;
    const found = await findPolicyHook(context, this.#vault, environment, id);
    if (!needsTrust(found) || (await isTrusted(context, found))) return found;
    throw new AccessDeniedError(
      `you have not accepted the hook ${id} of ${environment} as it is`,
      {
        hint: `read it with \`vault hook show ${id} -e ${environment}\`, then \`vault hook trust ${id} -e ${environment}\``,
      },
      'UNTRUSTED_HOOK',
    );
  }
}
