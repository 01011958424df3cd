/** The hooks that the program brings. What they are made of is loaded when one is used. */
import type { RandomSource } from '../crypto/aead.ts';
import type { ReadyHook } from '../format/hook.ts';
import type { RotationHook, SecretSource } from './rotation-hook.ts';
import type { Session } from './session.ts';

export interface ReadyOptions {
  readonly settings: ReadonlyMap<string, string>;
  readonly secrets: SecretSource;
  readonly random: RandomSource;
  readonly warn: (message: string) => void;
  /** For hooks that speak to a server by a client library. */
  readonly session: Session;
}

/** @param options with the settings that format/hook.ts asks for. @throws UsageError for settings that will not do */
export async function readyHook(
  use: ReadyHook,
  { settings, secrets, random, warn, session }: ReadyOptions,
): Promise<RotationHook> {
  switch (use) {
    case 'postgres':
      return (await import('./postgres.ts')).postgresHook({ settings, secrets, random, session });
    case 'postgres-alternating':
      return (await import('./postgres.ts')).alternatingPostgresHook({ settings, secrets, random, session });
    case 'redis':
      return (await import('./redis.ts')).redisHook({ settings, secrets, warn, session });
    case 'http':
      return (await import('./http.ts')).httpHook({
        urls: new Map([...settings].filter(([name]) => name !== 'token')),
        token: settings.get('token') ?? null,
        secrets,
      });
    default:
      return use satisfies never;
  }
}
