/**
 * Who saw a value, against a model that knows secrets by themselves and not by their names: through renames, names that two secrets have
 * one after the other, new keys, removed people, trials, failures, and writes that came to nothing.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { importSecrets } from '../../src/vault/operations/import.ts';
import { copySecret, purgeSecret, renameSecret } from '../../src/vault/operations/move.ts';
import { putSecret } from '../../src/vault/operations/put.ts';
import { rekeyEnvironments } from '../../src/vault/operations/environments.ts';
import { whoSaw, type Sighting, type WhoSawOptions } from '../../src/vault/operations/who-saw.ts';
import { utf8 } from '../../src/crypto/bytes.ts';
import type { AuditContext } from '../../src/format/audit-record.ts';
import { Scope } from '../../src/vault/scope.ts';
import type { Vault } from '../../src/vault/vault.ts';
import type { Place } from '../../src/vault/place.ts';
import { records } from '../support/audit-records.ts';
import { failToUnlock } from '../support/eventful-log.ts';
import { failureOf } from '../support/failure.ts';
import { put, openWith, type SampleVault } from '../support/sample-vault.ts';
import { add, as, asOwner, getIn, openToken, remove, teamVault } from '../support/team.ts';
import { undo } from '../support/undoing.ts';
import { dyingAt } from '../support/watched-file-system.ts';

const environments = ['staging', 'production'] as const;
const names = ['a', 'b', 'c'] as const;
const jobs = ['none', 'CI_JOB_ID=1', 'CI_JOB_ID=2'] as const;
const people = ['owner', 'ada', 'bob'] as const;

interface Event {
  readonly secret: number;
  readonly how: 'received' | 'brought';
  readonly operation: string;
  readonly environment: string;
  readonly principal: string;
  readonly context: AuditContext;
  readonly version: number;
  readonly time: string;
}

interface Secret {
  readonly id: number;
  version: number;
}

interface Rename {
  readonly environment: string;
  readonly from: string;
  readonly to: string;
  readonly secret: Secret;
  readonly version: number;
}

const key = (environment: string, name: string): string => `${environment} ${name}`;

class Model {
  readonly team: SampleVault;
  readonly events: Event[] = [];
  /** By environment and name. */
  readonly secrets = new Map<string, Secret>();
  readonly #tokens: ReadonlyMap<string, string>;
  readonly gone = new Set<string>();
  /** By who renamed, and has written nothing since. */
  readonly renames = new Map<string, Rename>();
  #made = 0;

  constructor(team: SampleVault, tokens: ReadonlyMap<string, string>) {
    this.team = team;
    this.#tokens = tokens;
  }

  async open(name: string, place: Place): Promise<Vault> {
    return name === 'owner'
      ? openWith(place, this.team.recoveryKey, 'owner')
      : openToken(place, this.#tokens.get(name) ?? '');
  }

  async by<T>(
    name: string,
    job: string,
    work: (vault: Vault) => Promise<T>,
    place = this.team.place,
  ): Promise<T> {
    const context = { ...place.context, session: job };
    const vault = await this.open(name, { ...place, context });
    try {
      return await work(vault);
    } finally {
      vault.close();
    }
  }

  happened(one: Pick<Event, 'how' | 'environment' | 'version'>, secret: Secret): void {
    const record = records(this.team.place).at(-1);
    if (record === undefined) throw new Error('nothing was recorded');
    const { op, principal, context, time } = record;
    this.events.push({ ...one, secret: secret.id, operation: op, principal, context, time });
  }

  made(environment: string, name: string): Secret {
    const secret = this.secrets.get(key(environment, name)) ?? { id: (this.#made += 1), version: 0 };
    this.secrets.set(key(environment, name), secret);
    secret.version += 1;
    return secret;
  }
}

const steps = fc.record({
  what: fc.constantFrom(
    ...([
      'put',
      'put',
      'put',
      'put',
      'put',
      'get',
      'get',
      'get',
      'get',
      'mv',
      'mv',
      'mv',
      'purge',
      'copy',
      'import',
    ] as const),
    ...(['undo', 'undo', 'undo', 'rekey', 'rekey', 'absent', 'trial', 'killed', 'locked', 'leave'] as const),
  ),
  environment: fc.constantFrom(...environments),
  name: fc.constantFrom(...names),
  other: fc.constantFrom(...names),
  who: fc.constantFrom(...people),
  job: fc.constantFrom(...jobs),
  pick: fc.nat(),
});

type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never;

const writes: ReadonlySet<Step['what']> = new Set(['put', 'import', 'copy']);
const writesByOwner: ReadonlySet<Step['what']> = new Set(['purge', 'rekey', 'leave']);
/** How often a rename was taken back. */
let takenBack = 0;

async function take(model: Model, { what, environment, name, other, who, job, pick }: Step): Promise<void> {
  if (model.gone.has(who)) return;
  if (writes.has(what)) model.renames.delete(who);
  if (writesByOwner.has(what)) model.renames.delete('owner');
  const present = model.secrets.get(key(environment, name));
  const isFree = !model.secrets.has(key(environment, other));
  const mayWrite = who !== 'bob';
  const { place } = model.team;
  const run = async <T>(work: (vault: Vault) => Promise<T>): Promise<T> => model.by(who, job, work);
  switch (what) {
    case 'put': {
      if (!mayWrite) return;
      await run(async (vault) => put(vault, name, `${pick}`, { environment }));
      const secret = model.made(environment, name);
      model.happened({ how: 'brought', environment, version: secret.version }, secret);
      return;
    }
    case 'import': {
      if (!mayWrite) return;
      const items = [{ name, value: utf8(`imported ${model.events.length}`), variable: '' }];
      await run(async (vault) =>
        vault.write('import', async (scope) => importSecrets(scope, environment, items, false)),
      );
      const secret = model.made(environment, name);
      model.happened({ how: 'brought', environment, version: secret.version }, secret);
      return;
    }
    case 'get': {
      if (present === undefined) return;
      await run(async (vault) => getIn(vault, environment, name));
      model.happened({ how: 'received', environment, version: present.version }, present);
      return;
    }
    case 'mv': {
      if (present === undefined || !isFree || !mayWrite) return;
      await run(async (vault) =>
        vault.write('mv', async (scope) => renameSecret(scope, environment, name, other)),
      );
      model.secrets.delete(key(environment, name));
      model.secrets.set(key(environment, other), present);
      model.renames.set(who, {
        environment,
        from: name,
        to: other,
        secret: present,
        version: present.version,
      });
      return;
    }
    case 'undo': {
      // Whoever can: that one of three has just renamed something is rare.
      for (const [renamer, { secret, version, ...renamed }] of model.renames) {
        const [from, to] = [key(renamed.environment, renamed.from), key(renamed.environment, renamed.to)];
        if (model.gone.has(renamer) || model.secrets.has(from)) continue;
        if (model.secrets.get(to) !== secret || secret.version !== version) continue;
        await model.by(renamer, job, undo);
        model.renames.delete(renamer);
        model.secrets.delete(to);
        model.secrets.set(from, secret);
        takenBack += 1;
        return;
      }
      return;
    }
    case 'copy': {
      if (present === undefined || !isFree || !mayWrite) return;
      const options = { environment, from: name, to: other, toEnvironment: null };
      await run(async (vault) => vault.write('cp', async (scope) => copySecret(scope, options)));
      model.made(environment, other);
      return;
    }
    case 'purge': {
      if (present === undefined) return;
      await model.by('owner', job, async (vault) =>
        vault.write('purge', async (scope) => purgeSecret(scope, environment, name)),
      );
      model.secrets.delete(key(environment, name));
      return;
    }
    case 'rekey': {
      await asOwner(model.team, async (vault) =>
        vault.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, [environment]))),
      );
      return;
    }
    case 'absent': {
      if (present !== undefined) return;
      await run(async (vault) => failureOf(getIn(vault, environment, name)));
      return;
    }
    case 'trial': {
      if (!mayWrite) return;
      await run(async (vault) =>
        vault.write('put', async (scope) => {
          await putSecret(scope, { environment, name, value: utf8('trial'), operation: 'put' });
          scope.discard();
        }),
      );
      return;
    }
    case 'killed': {
      if (!mayWrite) return;
      const fs = dyingAt(({ call, path }) => call === 'renameSync' && path === `${place.path}.new`);
      const write = async (vault: Vault): Promise<unknown> =>
        failureOf(put(vault, name, 'never there', { environment }));
      await model.by(who, job, write, { ...place, fs });
      return;
    }
    case 'locked': {
      await failToUnlock(place);
      return;
    }
    case 'leave': {
      if (who === 'owner' || pick % 3 > 0) return;
      model.gone.add(who);
      await asOwner(model.team, async (vault) => remove(vault, who));
      return;
    }
  }
}

async function newModel(): Promise<{ model: Model; lister: string }> {
  const team = await teamVault([...environments]);
  const tokens = new Map<string, string>();
  const lister = await asOwner(team, async (owner) => {
    const env = environments.join(',');
    tokens.set('ada', await add(owner, 'ada', { can: 'read,write', env }));
    tokens.set('bob', await add(owner, 'bob', { can: 'read', env }));
    return add(owner, 'lister', { can: 'list', env: 'staging' });
  });
  return { model: new Model(team, tokens), lister };
}

/** What the model says: sightings of the secrets that have this name now. */
function wanted(
  model: Model,
  vault: Vault,
  { environment, name, version }: WhoSawOptions,
  sees: readonly string[],
): Sighting[] {
  const asked = sees.filter((one) => environment === null || one === environment);
  const present = new Set(asked.map((one) => model.secrets.get(key(one, name))?.id));
  const groups = new Map<string, Event[]>();
  for (const event of model.events.toReversed()) {
    if (!present.has(event.secret) || (version !== null && event.version !== version)) continue;
    const group = JSON.stringify([event.how, event.environment, event.principal, event.context]);
    groups.set(group, [...(groups.get(group) ?? []), event]);
  }
  return [...groups.values()].map((events) => {
    const [last] = events;
    const first = events.at(-1);
    if (last === undefined || first === undefined) throw new Error('an empty group');
    return {
      principal: vault.authority.nameOf(last.principal),
      how: last.how,
      environment: last.environment,
      context: last.context,
      operations: [...new Set(events.map(({ operation }) => operation))].sort(),
      versions: [...new Set(events.map((event) => event.version))].sort((a, b) => a - b),
      times: events.length,
      first: first.time,
      last: last.time,
    };
  });
}

async function expectAll(model: Model, vault: Vault, sees: readonly string[]): Promise<number> {
  let seen = 0;
  for (const name of names)
    for (const environment of [null, ...sees])
      for (const version of [null, 1, 2]) {
        // A name that nobody has now: what was done under it is of secrets that are gone, or have another one.
        if (!sees.some((one) => model.secrets.has(key(one, name)))) continue;
        if (environment !== null && !model.secrets.has(key(environment, name))) continue;
        const { document, authority, identity, place } = vault;
        const scope = new Scope(document, authority, identity, place.now());
        const options = { environment, name, version };
        const found = await whoSaw(scope, place, options);
        scope.close();
        const right = wanted(
          model,
          vault,
          options,
          sees.filter((one) => model.secrets.has(key(one, name))),
        );
        if (environment === null && sees.some((one) => !model.secrets.has(key(one, name)))) continue;
        expect([options, found]).toEqual([options, right]);
        seen += found.length;
      }
  return seen;
}

describe('who saw a value', () => {
  test('is what really happened', async () => {
    let seen = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 30, maxLength: 80 }), async (all) => {
        const { model, lister } = await newModel();
        for (const step of all) await take(model, step);
        // Whoever comes next records that a killed write did not happen.
        await asOwner(model.team, async (owner) => owner.read('ls', async () => Promise.resolve()));
        seen += await asOwner(model.team, async (owner) => expectAll(model, owner, environments));
        // Who may only list, and only there, is told the same.
        seen += await as(model.team.place, lister, async (vault) => expectAll(model, vault, ['staging']));
      }),
      { numRuns: 60, seed: 20_261_129 },
    );
    expect(seen).toBeGreaterThan(300);
    expect(takenBack).toBeGreaterThan(5);
  });
});
