/** Changes to secrets, and taking them back; and everything that people see of an environment's secrets, for before and after. */
import type { Bytes } from '../../src/crypto/bytes.ts';
import { utf8 } from '../../src/crypto/bytes.ts';
import { getSecret } from '../../src/vault/operations/get.ts';
import { rollbackSecret } from '../../src/vault/operations/history.ts';
import { importSecrets } from '../../src/vault/operations/import.ts';
import { listInfo } from '../../src/vault/operations/list.ts';
import {
  copySecret,
  purgeSecret,
  removeSecret,
  renameSecret,
  restoreSecret,
} from '../../src/vault/operations/move.ts';
import { putSecret, type PutOptions } from '../../src/vault/operations/put.ts';
import { undoLast, type Undone, type UndoOptions } from '../../src/vault/operations/undo.ts';
import type { Vault } from '../../src/vault/vault.ts';

export async function undo(vault: Vault, more: Partial<UndoOptions> = {}): Promise<Undone> {
  const options = { environment: null, redo: false, dryRun: false, ...more };
  return vault.write('undo', async (scope) => undoLast(scope, vault.place, options));
}

export const redo = async (vault: Vault): Promise<Undone> => undo(vault, { redo: true });

/** Changes of one environment, each as its command makes it. */
export function changesIn(environment: string) {
  const write =
    <A extends readonly unknown[]>(
      op: string,
      work: (scope: Parameters<Parameters<Vault['write']>[1]>[0], ...args: A) => Promise<unknown>,
    ) =>
    async (vault: Vault, ...args: A): Promise<unknown> =>
      vault.write(op, async (scope) => work(scope, ...args));
  const stored = (name: string, value: string | Bytes, more: Partial<PutOptions>): PutOptions => {
    const bytes = typeof value === 'string' ? utf8(value) : value;
    return { environment, name, value: bytes, operation: 'put', ...more };
  };
  return {
    put: write('put', async (scope, name: string, value: string | Bytes, more: Partial<PutOptions> = {}) =>
      putSecret(scope, stored(name, value, more)),
    ),
    rotate: write('rotate', async (scope, name: string, value: string) =>
      putSecret(scope, stored(name, value, { operation: 'rotate', mustExist: true })),
    ),
    rotateAll: write('rotate', async (scope, names: readonly string[], value: string) => {
      for (const name of names)
        await putSecret(scope, stored(name, value, { operation: 'rotate', mustExist: true }));
    }),
    rollback: write('rollback', async (scope, name: string, to: number) =>
      rollbackSecret(scope, { environment, name, to }),
    ),
    importAll: write('import', async (scope, values: readonly (readonly [string, string])[]) => {
      const items = values.map(([name, value]) => ({
        name,
        value: utf8(value),
        variable: name.toUpperCase(),
      }));
      return importSecrets(scope, environment, items, false);
    }),
    rm: write('rm', async (scope, name: string) => removeSecret(scope, environment, name)),
    restore: write('restore', async (scope, name: string) => restoreSecret(scope, environment, name)),
    purge: write('purge', async (scope, name: string) => purgeSecret(scope, environment, name)),
    mv: write('mv', async (scope, from: string, to: string) => renameSecret(scope, environment, from, to)),
    cp: write('cp', async (scope, from: string, to: string, toEnvironment: string | null = null) =>
      copySecret(scope, { environment, from, to, toEnvironment }),
    ),
  };
}

/** What people see of a secret that is there. */
export interface Seen {
  readonly value: string;
  readonly metadata: string;
}

/** Secrets that are there, by `environment/name`. Numbers and times of versions are left out: history grows. */
export async function secretsOf(vault: Vault): Promise<Record<string, Seen>> {
  const everything = {
    environment: null,
    allEnvironments: true,
    pattern: null,
    removed: false,
    type: null,
    tags: new Map<string, string>(),
    expiringBefore: null,
    expired: false,
    due: false,
  };
  return vault.read('ls', async (scope) => {
    const found: Record<string, Seen> = {};
    for (const info of await listInfo(scope, everything)) {
      const { name, environment } = info;
      const version = { version: null, field: null, allowExpired: true };
      const { value } = await getSecret(scope, { environment, name, ...version });
      const { type, description, tags, variable, created, expires, rotateEverySeconds } = info;
      found[`${environment}/${name}`] = {
        value: Buffer.from(value.bytes).toString('hex'),
        metadata: JSON.stringify([type, description, tags, variable, created, expires, rotateEverySeconds]),
      };
      value.wipe();
    }
    return found;
  });
}
