/**
 * A vault is a map of names to versions: random commands on a real vault and on a plain model, compared after each one.
 * Every command goes the whole way: lock, journal, file on disk, the file read and verified again.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseUtf8, utf8, type Bytes } from '../../src/crypto/bytes.ts';
import { SecretsManagerError } from '../../src/errors.ts';
import { getSecret } from '../../src/vault/operations/get.ts';
import { rollbackSecret, showSecret } from '../../src/vault/operations/history.ts';
import { listNames } from '../../src/vault/operations/list.ts';
import { purgeSecret, removeSecret, renameSecret, restoreSecret } from '../../src/vault/operations/move.ts';
import { putSecret } from '../../src/vault/operations/put.ts';
import type { Scope } from '../../src/vault/scope.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { Forgery } from '../support/forgery.ts';
import { makeVault, open, placeIn, type SampleVault } from '../support/sample-vault.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const keptVersions = 2;
/** Commands whose effect was compared. */
let checked = 0;
/** Versions that retention dropped. */
let dropped = 0;
let rolledBack = 0;

interface Secret {
  /** Kept versions, oldest first. */
  versions: { version: number; value: string }[];
  removed: boolean;
}

type Model = Map<string, Secret>;

interface Real {
  readonly sample: SampleVault;
  vault: Vault;
}

/** What a command ends in: its result as text, or the code of its error. */
type Outcome = string;

async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  try {
    return JSON.stringify((await work) ?? 'done');
  } catch (error) {
    if (error instanceof SecretsManagerError) return error.code;
    throw error;
  }
}

/** What an operation says that makes no version. */
const meant = (key: string): Outcome => JSON.stringify({ name: key, environment: 'production' });

function addVersion(secret: Secret, value: string): number {
  const version = (secret.versions.at(-1)?.version ?? 0) + 1;
  secret.versions.push({ version, value });
  dropped += secret.versions.splice(0, Math.max(0, secret.versions.length - keptVersions)).length;
  return version;
}

interface Step {
  /** What the model says that must come out, having done it. */
  onModel(model: Model): Outcome;
  onVault(real: Real): Promise<unknown>;
}

class Command implements fc.AsyncCommand<Model, Real> {
  readonly #name: string;
  readonly #step: Step;

  constructor(name: string, step: Step) {
    this.#name = name;
    this.#step = step;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const wanted = this.#step.onModel(model);
    assert.equal(await outcomeOf(this.#step.onVault(real)), wanted);
    assert.deepEqual(await stateOf(real.vault), stateOfModel(model));
    checked += 1;
  }

  toString(): string {
    return this.#name;
  }
}

/** Everything that the vault tells of its one environment, values too. */
async function stateOf(vault: Vault): Promise<object> {
  const work = async (scope: Scope): Promise<object> => {
    const list = {
      environment: null,
      allEnvironments: false,
      pattern: null,
      type: null,
      tags: new Map<string, string>(),
    };
    const none = { expiringBefore: null, expired: false, due: false };
    const present: [string, object][] = [];
    for (const { name } of await listNames(scope, { ...list, ...none, removed: false })) {
      const { info, versions } = await showSecret(scope, null, name);
      const values: [number, string][] = [];
      for (const { version } of versions) {
        const wanted = { environment: null, name, version, field: null, allowExpired: false };
        values.push([version, parseUtf8((await getSecret(scope, wanted)).value.bytes)]);
      }
      present.push([name, { current: info.version, values }]);
    }
    const removed = await listNames(scope, { ...list, ...none, removed: true });
    return { present, removed: removed.map(({ name }) => name) };
  };
  return vault.read('ls', work);
}

function stateOfModel(model: Model): object {
  const order = (a: [string, Secret], b: [string, Secret]): number => Buffer.compare(utf8(a[0]), utf8(b[0]));
  const all = [...model].sort(order);
  const present = all
    .filter(([, { removed }]) => !removed)
    .map(([name, { versions }]) => {
      const values = versions.map(({ version, value }) => [version, value]);
      return [name, { current: versions.at(-1)?.version, values }];
    });
  return {
    present,
    removed: all.filter(([, { removed }]) => removed).map(([name]) => name),
  };
}

const name = fc.constantFrom('a/b', 'Ä😀', '__proto__');
const value = fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.constantFrom('', 'x'.repeat(5_000)));

const puts = fc.tuple(name, value).map(
  ([key, text]) =>
    new Command(`put ${key}`, {
      onModel: (model) => {
        const present = model.get(key);
        const secret = present ?? { versions: [], removed: false };
        const revived = secret.removed;
        model.set(key, secret);
        secret.removed = false;
        const version = addVersion(secret, text);
        return JSON.stringify({
          name: key,
          environment: 'production',
          version,
          created: present === undefined,
          revived,
        });
      },
      onVault: async ({ vault }) => {
        const bytes: Bytes = utf8(text);
        const options = { environment: null, name: key, value: bytes, operation: 'put' } as const;
        return vault.write('put', async (scope) => putSecret(scope, options));
      },
    }),
);

/** Putting is the most of what people do, and what makes versions. */
const commands = [
  puts,
  puts,
  puts,
  puts,
  name.map(
    (key) =>
      new Command(`rm ${key}`, {
        onModel: (model) => {
          const secret = model.get(key);
          if (secret === undefined || secret.removed) return 'SECRET_NOT_FOUND';
          secret.removed = true;
          return meant(key);
        },
        onVault: async ({ vault }) => vault.write('rm', async (scope) => removeSecret(scope, null, key)),
      }),
  ),
  name.map(
    (key) =>
      new Command(`restore ${key}`, {
        onModel: (model) => {
          const secret = model.get(key);
          if (secret === undefined) return 'SECRET_NOT_FOUND';
          if (!secret.removed) return 'USAGE';
          secret.removed = false;
          return meant(key);
        },
        onVault: async ({ vault }) =>
          vault.write('restore', async (scope) => restoreSecret(scope, null, key)),
      }),
  ),
  name.map(
    (key) =>
      new Command(`purge ${key}`, {
        onModel: (model) => (model.delete(key) ? meant(key) : 'SECRET_NOT_FOUND'),
        onVault: async ({ vault }) => vault.write('purge', async (scope) => purgeSecret(scope, null, key)),
      }),
  ),
  fc.tuple(name, name).map(
    ([from, to]) =>
      new Command(`mv ${from} ${to}`, {
        onModel: (model) => {
          const secret = model.get(from);
          if (secret === undefined || secret.removed) return 'SECRET_NOT_FOUND';
          if (model.has(to)) return 'ALREADY_EXISTS';
          model.delete(from);
          model.set(to, secret);
          return meant(to);
        },
        onVault: async ({ vault }) => vault.write('mv', async (scope) => renameSecret(scope, null, from, to)),
      }),
  ),
  fc.tuple(name, fc.nat(3)).map(([key, back]) => {
    // How far back is chosen beforehand; which number that is depends on what came before.
    let to = 0;
    return new Command(`rollback ${key} by ${back}`, {
      onModel: (model) => {
        const secret = model.get(key);
        to = Math.max(1, (secret?.versions.at(-1)?.version ?? back) - back);
        if (secret === undefined || secret.removed) return 'SECRET_NOT_FOUND';
        const wanted = secret.versions.find(({ version }) => version === to);
        if (wanted === undefined) return 'VERSION_NOT_FOUND';
        if (wanted === secret.versions.at(-1)) return 'USAGE';
        const version = addVersion(secret, wanted.value);
        rolledBack += 1;
        return JSON.stringify({
          name: key,
          environment: 'production',
          version,
          created: false,
          revived: false,
        });
      },
      onVault: async ({ vault }) =>
        vault.write('rollback', async (scope) => rollbackSecret(scope, { environment: null, name: key, to })),
    });
  }),
  fc.constant(
    new Command('reopen', {
      onModel: () => '"done"',
      onVault: async (real) => {
        real.vault.close();
        real.vault = await open(real.sample);
      },
    }),
  ),
];

/** A vault that keeps few versions, so that retention is part of the game. */
async function newVault(): Promise<Real> {
  const folder = temporaryFolder();
  const made = await makeVault(placeIn(folder), ['production']);
  const admin = await open(made);
  const forgery = Forgery.read(made.place.path);
  forgery.one('header').policy.push(['retention.versions', String(keptVersions)]);
  await forgery.signHeader(admin.identity);
  await forgery.write(made.place.path, admin.identity);
  admin.close();
  // From here on this machine remembers the vault: every step is also held against what was seen.
  const sample = { ...made, place: { ...made.place, stateFolder: `${folder}/state` } };
  return { sample, vault: await open(sample) };
}

test('a vault behaves like a map of versions', async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 40, size: 'max' }), async (all) => {
      const real = await newVault();
      try {
        await fc.asyncModelRun(() => ({ model: new Map() as Model, real }), all);
      } finally {
        real.vault.close();
      }
    }),
    { numRuns: 20 },
  );
  expect(checked).toBeGreaterThan(100);
  expect(dropped).toBeGreaterThan(10);
  expect(rolledBack).toBeGreaterThan(0);
});
