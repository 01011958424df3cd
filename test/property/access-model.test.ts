/**
 * Several principals and what they may do: random commands by any of them on a real vault and on a plain table. After each one, what
 * everybody can read everywhere is compared, and the vault is verified.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { environmentLevels, type EnvironmentLevel } from '../../src/access/rights.ts';
import { utf8 } from '../../src/crypto/bytes.ts';
import { SecretsManagerError } from '../../src/errors.ts';
import {
  addEnvironment,
  rekeyEnvironments,
  removeEnvironment,
} from '../../src/vault/operations/environments.ts';
import { showSecret } from '../../src/vault/operations/history.ts';
import { purgeSecret, removeSecret, restoreSecret } from '../../src/vault/operations/move.ts';
import { putSecret, type PutOptions } from '../../src/vault/operations/put.ts';
import { verifyVault } from '../../src/vault/operations/verify.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { AccessModel, type Outcome } from '../support/access-model.ts';
import type { SampleVault } from '../support/sample-vault.ts';
import { add, as, asOwner, getIn, grant, reissue, remove, revoke, teamVault } from '../support/team.ts';

const people = ['p', 'q', 'r'];
const actors = ['owner', ...people];
const places = ['e', 'f', 'e/g'];
const names = ['a', 'b'];

/** How often each outcome came, by command. */
const seen = new Map<string, number>();

interface Real {
  readonly team: SampleVault;
  readonly tokens: Map<string, string>;
}

async function by<T>({ team, tokens }: Real, who: string, work: (vault: Vault) => Promise<T>): Promise<T> {
  const token = tokens.get(who);
  return token === undefined ? asOwner(team, work) : as(team.place, token, work);
}

async function outcomeOf<T>(work: Promise<T>): Promise<T | Outcome> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof SecretsManagerError) return error.exitCode as Outcome;
    throw error;
  }
}

/** What everybody can read everywhere, and every version with its author. */
async function compare(model: AccessModel, real: Real): Promise<void> {
  for (const who of model.principals.keys()) {
    await by(real, who, async (vault) => {
      for (const environment of places)
        for (const name of names) {
          const read = getIn(vault, environment, name).then((value) => `=${value}`);
          const where = `${who} reads ${environment}/${name}`;
          assert.equal(
            `${where}: ${await outcomeOf(read)}`,
            `${where}: ${model.read(who, environment, name)}`,
          );
        }
    });
  }
  await asOwner(real.team, async (owner) => {
    for (const environment of model.environments.keys())
      for (const name of names) {
        const wanted = model.history(environment, name);
        if (wanted.length === 0) continue;
        const { versions } = await owner.read('history', async (scope) =>
          showSecret(scope, environment, name),
        );
        assert.deepEqual(
          versions.map(({ version, author }) => [version, author]),
          wanted.map(([, author], index) => [index + 1, author]),
        );
      }
    await owner.read('verify', async (scope) => verifyVault(scope, owner.place));
  });
}

interface Step {
  readonly onModel: (model: AccessModel) => Outcome;
  readonly onVault: (vault: Vault, real: Real) => Promise<unknown>;
}

class Command implements fc.AsyncCommand<AccessModel, Real> {
  readonly #kind: string;
  readonly #who: string;
  readonly #what: string;
  readonly #step: Step;

  constructor(kind: string, who: string, what: string, step: Step) {
    this.#kind = kind;
    this.#who = who;
    this.#what = what;
    this.#step = step;
  }

  check(model: Readonly<AccessModel>): boolean {
    return model.principals.has(this.#who);
  }

  async run(model: AccessModel, real: Real): Promise<void> {
    const wanted = this.#step.onModel(model);
    const work = by(real, this.#who, async (vault): Promise<Outcome> => {
      await this.#step.onVault(vault, real);
      return 'done';
    });
    assert.equal(await outcomeOf(work), wanted);
    const key = `${this.#kind} ${wanted === 'done' ? 'done' : 'refused'}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    await compare(model, real);
  }

  toString(): string {
    return `${this.#who}: ${this.#kind} ${this.#what}`;
  }
}

const anybody = fc.constantFrom(...actors, 'owner', 'owner', 'owner');
const person = fc.constantFrom(...people);
const place = fc.constantFrom(...places, 'e', 'e');
const secret = fc.constantFrom(...names);
const levels = fc.subarray<EnvironmentLevel>([...environmentLevels], { minLength: 1, maxLength: 3 });
/** Of two that are taken at once, one is seldom there. */
const oneLevel = fc.constantFrom<EnvironmentLevel[]>(
  ...environmentLevels.map((level) => [level]),
  ['read'],
  ['read'],
);
const value = fc.stringMatching(/^[a-z]{1,6}$/u);

const store = (kind: 'put' | 'rotate') =>
  fc.tuple(fc.constantFrom(...actors), place, secret, value).map(
    ([who, environment, name, text]) =>
      new Command(kind, who, `${environment}/${name} ${text}`, {
        onModel: (model) => model[kind](who, environment, name, text),
        onVault: async (vault) => {
          const options: PutOptions = { environment, name, value: utf8(text), operation: kind };
          return vault.write(kind, async (scope) =>
            putSecret(scope, { ...options, mustExist: kind === 'rotate' }),
          );
        },
      }),
  );

const onSecret = (
  kind: 'remove' | 'purge' | 'restore',
  operation: typeof removeSecret | typeof purgeSecret | typeof restoreSecret,
) =>
  fc.tuple(fc.constantFrom(...actors), place, secret).map(
    ([who, environment, name]) =>
      new Command(kind, who, `${environment}/${name}`, {
        onModel: (model) => model[kind](who, environment, name),
        onVault: async (vault) => vault.write(kind, async (scope) => operation(scope, environment, name)),
      }),
  );

const onRights = (kind: 'add' | 'grant' | 'revoke') =>
  fc.tuple(anybody, person, kind === 'revoke' ? oneLevel : levels, place).map(
    ([who, name, can, environment]) =>
      new Command(kind, who, `${name} ${can.join(',')} in ${environment}`, {
        onModel: (model) => model[kind](who, name, can, environment),
        onVault: async (vault, { tokens }) => {
          const may = { can: can.join(','), env: environment };
          if (kind === 'add') tokens.set(name, await add(vault, name, may));
          else await (kind === 'grant' ? grant : revoke)(vault, name, may);
        },
      }),
  );

const onPrincipal = (kind: 'promote' | 'demote' | 'removePrincipal' | 'reissue') =>
  fc.tuple(anybody, person).map(
    ([who, name]) =>
      new Command(kind, who, name, {
        onModel: (model) => model[kind](who, name),
        onVault: async (vault, { tokens }) => {
          if (kind === 'promote') await grant(vault, name, { can: 'admin' });
          if (kind === 'demote') await revoke(vault, name, { can: 'admin' });
          if (kind === 'removePrincipal') await remove(vault, name);
          if (kind === 'reissue') tokens.set(name, await reissue(vault, name));
        },
      }),
  );

const onEnvironment = (kind: 'addEnvironment' | 'removeEnvironment' | 'rekey') =>
  fc.tuple(anybody, place).map(
    ([who, name]) =>
      new Command(kind, who, name, {
        onModel: (model) => model[kind](who, name),
        onVault: async (vault) =>
          vault.write(kind, async (scope) => {
            if (kind === 'addEnvironment') await addEnvironment(scope, name);
            if (kind === 'removeEnvironment') removeEnvironment(scope, name);
            if (kind === 'rekey') rekeyEnvironments(scope, [name]);
          }),
      }),
  );

const commands = [
  ...Array.from({ length: 3 }, () => [store('put'), store('rotate'), onRights('grant')]).flat(),
  onRights('add'),
  ...Array.from({ length: 4 }, () => onRights('revoke')),
  onSecret('remove', removeSecret),
  onSecret('remove', removeSecret),
  onSecret('purge', purgeSecret),
  onSecret('restore', restoreSecret),
  onPrincipal('promote'),
  onPrincipal('demote'),
  onPrincipal('removePrincipal'),
  onPrincipal('reissue'),
  onEnvironment('addEnvironment'),
  onEnvironment('removeEnvironment'),
  onEnvironment('rekey'),
];

/** Everybody there with something to lose, and something to read. */
async function begin(): Promise<{ model: AccessModel; real: Real }> {
  const team = await teamVault(['e', 'f']);
  const tokens = new Map<string, string>();
  const model = new AccessModel(['e', 'f']);
  const rights: readonly (readonly [string, readonly EnvironmentLevel[], string])[] = [
    ['p', ['rotate', 'delete'], 'e'],
    ['q', ['read', 'write'], 'e'],
    ['r', ['read', 'rotate'], 'f'],
  ];
  await asOwner(team, async (owner) => {
    for (const environment of ['e', 'f']) {
      const options = { environment, name: 'a', value: utf8('first'), operation: 'put' } as const;
      await owner.write('put', async (scope) => putSecret(scope, options));
      model.put('owner', environment, 'a', 'first');
    }
    for (const [name, can, env] of rights) {
      tokens.set(name, await add(owner, name, { can: can.join(','), env }));
      model.add('owner', name, can, env);
    }
  });
  return { model, real: { team, tokens } };
}

test(
  'who may read what follows from what was granted, and from nothing else',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 30, size: 'max' }), async (all) => {
        const begun = await begin();
        await fc.asyncModelRun(() => begun, all);
      }),
      { numRuns: 14 },
    );
    // Most kinds of command were both done and refused.
    expect(seen.size).toBeGreaterThan(18);
  },
);
