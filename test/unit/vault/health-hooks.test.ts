/** What `doctor` finds of stored hooks that secrets name. docs/health.md, docs/rotation.md. */
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { canRetire, type HookDefinition } from '../../../src/format/hook.ts';
import { readyHook } from '../../../src/hooks/ready.ts';
import { shellHook } from '../../../src/hooks/shell.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { attachHook, setHook } from '../../../src/vault/operations/hook-changes.ts';
import { putSecret } from '../../../src/vault/operations/put.ts';
import { retireOperation, traceStep } from '../../../src/vault/operations/rotation-target.ts';
import { begun, day, examine, ExaminedVault, foundIn, strong } from '../../support/examined.ts';
import { add, as } from '../../support/team.ts';

const environment = 'development';
const settings = (pairs: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(pairs));
const letting: HookDefinition = { use: null, commands: { apply: 'true', check: 'true', retire: 'true' } };
const keeping: HookDefinition = { use: null, commands: { apply: 'true' } };

let vault: ExaminedVault;

beforeEach(async () => {
  vault = await ExaminedVault.make();
});

async function store(id: string, definition: HookDefinition): Promise<void> {
  await vault.owner(async (owner) =>
    owner.write('policy-set', async (scope) => setHook(scope, environment, id, definition)),
  );
}

/** A secret with this hook; after a rotation with a day of grace if it is wanted. */
async function withHook(name: string, id: string, grace = false): Promise<void> {
  await vault.put(name, strong(name.length), { type: 'token' });
  await vault.owner(async (owner) =>
    owner.write('hook-use', async (scope) => attachHook(scope, environment, [name], id)),
  );
  if (!grace) return;
  const graceUntil = new Date(begun + day);
  const options = {
    environment,
    name,
    value: utf8(strong(50 + name.length)),
    operation: 'rotate',
    graceUntil,
  } as const;
  await vault.owner(async (owner) => owner.write('rotate', async (scope) => putSecret(scope, options)));
}

const redis: HookDefinition = { use: 'redis', settings: settings({ host: 'h', users: 'default' }) };
const postgres: HookDefinition = { use: 'postgres', settings: settings({ host: 'h', roles: 'a' }) };

describe('a hook that is not there', () => {
  test('is named with the secrets that have it, in their environment', async () => {
    await withHook('a', 'lost');
    await withHook('bb', 'lost');
    await withHook('ccc', 'redis');
    const { findings } = await vault.examine();
    expect(findings.filter(({ id }) => id === 'hook-missing')).toMatchObject([
      { severity: 'warning', environment, names: ['a', 'bb'], message: 'the hook lost is not there' },
      { environment, names: ['ccc'], message: 'the hook redis is not there' },
    ]);
  });

  test('until it is stored', async () => {
    await withHook('a', 'lost');
    expect(await vault.found()).toEqual({ 'hook-missing': ['a'] });
    await store('lost', keeping);
    expect(await vault.found()).toEqual({});
  });
});

test('commands that were not accepted here are a note', async () => {
  await withHook('a', 'smtp');
  await withHook('bb', 'cache');
  await store('smtp', keeping);
  await store('cache', redis);
  const refusing = { isAccepted: async () => Promise.resolve(false) };
  expect(await vault.found()).toEqual({});
  const { findings } = await vault.examine(refusing);
  expect(findings.filter(({ id }) => id === 'hook-not-accepted')).toMatchObject([
    {
      severity: 'note',
      environment,
      names: ['a'],
      message: 'the hook smtp is not accepted here',
    },
    { names: ['bb'], message: 'the hook cache is not accepted here' },
  ]);
});

describe('an old value whose grace is over', () => {
  test('is told until it was let go, and not before its time', async () => {
    await withHook('a', 'smtp', true);
    await withHook('bb', 'cache', true);
    await store('smtp', letting);
    await store('cache', redis);
    vault.day = 0.9;
    expect(await vault.found()).toEqual({});
    vault.day = 1;
    const { findings } = await vault.examine();
    expect(findings.filter(({ id }) => id === 'grace-over')).toMatchObject([
      {
        severity: 'warning',
        environment,
        names: ['a', 'bb'],
        hint: '`vault rotate --retire -e development`',
      },
    ]);
    await vault.owner(async (owner) =>
      owner.read(retireOperation, async (scope) =>
        traceStep(scope, retireOperation, { environment, name: 'a', version: 2 }),
      ),
    );
    expect(await vault.found()).toEqual({ 'grace-over': ['bb'] });
    // Names are hashed with another key from then on.
    await vault.owner(async (owner) =>
      owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, [environment]))),
    );
    expect(await vault.found()).toEqual({ 'grace-over': ['bb'] });
  });

  test('is none where the hook could not let it go', async () => {
    await withHook('a', 'own', true);
    await withHook('bb', 'smtp', true);
    await withHook('ccc', 'lost', true);
    await store('own', postgres);
    await store('smtp', keeping);
    vault.day = 2;
    expect(await vault.found()).toEqual({ 'hook-missing': ['ccc'] });
    await store('smtp', letting);
    expect(await vault.found()).toEqual({ 'hook-missing': ['ccc'], 'grace-over': ['bb'] });
  });

  test('is told to whoever may list', async () => {
    await withHook('a', 'cache', true);
    await store('cache', redis);
    const token = await vault.owner(async (owner) => add(owner, 'lists', { can: 'list', env: environment }));
    vault.day = 2;
    const found = foundIn(await as(vault.place, token, examine));
    expect(found).toMatchObject({ 'grace-over': ['a'] });
  });
});

test.each<[string, HookDefinition]>([
  ['postgres', postgres],
  [
    'postgres-alternating',
    { use: 'postgres-alternating', settings: settings({ host: 'h', admin: 'a', roles: 'b,c' }) },
  ],
  ['redis', redis],
  [
    'http with it',
    { use: 'http', settings: settings({ apply: 'https://h', check: 'https://h', retire: 'https://h' }) },
  ],
  ['http without it', { use: 'http', settings: settings({ apply: 'https://h' }) }],
  ['commands with it', letting],
  ['commands without it', keeping],
])('what can let old values go is what has a step for it: %s', async (_, definition) => {
  const hook =
    definition.use === null
      ? shellHook(definition.commands, {
          environment: {},
          report: async () => Promise.resolve(),
          keeper: null,
        })
      : await readyHook(definition.use, {
          settings: definition.settings,
          secrets: async () => Promise.reject(new Error('none')),
          random: (length) => new Uint8Array(length),
          warn: () => undefined,
          session: async () => Promise.reject(new Error('none')),
        });
  expect(canRetire(definition)).toBe(hook.steps.retire !== undefined);
});
