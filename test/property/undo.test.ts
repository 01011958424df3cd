/**
 * Whatever is done to secrets, `undo` brings back what people saw before, `undo --redo` what they saw after, and nothing that there was is
 * lost: random changes of two environments, each taken back, brought back, and sometimes taken back again.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SecretsManagerError } from '../../src/errors.ts';
import { secretTypes } from '../../src/format/secret-type.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { asOwner, teamVault, verified } from '../support/team.ts';
import { changesIn, redo, secretsOf, undo } from '../support/undoing.ts';

const environments = ['staging', 'production'] as const;
const name = fc.constantFrom('a', 'b', 'c');
const text = fc.string({ maxLength: 4 });
const metadata = fc.record(
  {
    type: fc.constantFrom(...secretTypes.filter((type) => type !== 'certificate')),
    description: text,
    tags: fc.constantFrom(new Map([['k', 'v']]), new Map([['k', '']])),
    expires: fc.constantFrom(null, new Date('2099-01-01T00:00:00.000Z')),
    intervalSeconds: fc.nat(100),
  },
  { requiredKeys: [] },
);

type Act = (vault: Vault) => Promise<unknown>;

const change = fc.constantFrom(...environments).chain((environment): fc.Arbitrary<Act> => {
  const make = changesIn(environment);
  return fc.oneof(
    fc.tuple(name, fc.uint8Array({ maxLength: 3 }), metadata).map(
      ([one, value, set]): Act =>
        async (vault) =>
          make.put(vault, one, Uint8Array.from(value), { metadata: set }),
    ),
    fc.tuple(name, text).map(
      ([one, value]): Act =>
        async (vault) =>
          make.rotate(vault, one, value),
    ),
    fc.tuple(name, fc.integer({ min: 1, max: 6 })).map(
      ([one, to]): Act =>
        async (vault) =>
          make.rollback(vault, one, to),
    ),
    fc.array(fc.tuple(name, text), { maxLength: 4 }).map(
      (items): Act =>
        async (vault) =>
          make.importAll(vault, items),
    ),
    name.map(
      (one): Act =>
        async (vault) =>
          make.rm(vault, one),
    ),
    name.map(
      (one): Act =>
        async (vault) =>
          make.restore(vault, one),
    ),
    fc.tuple(name, name).map(
      ([from, to]): Act =>
        async (vault) =>
          make.mv(vault, from, to),
    ),
    fc.tuple(name, name, fc.constantFrom(...environments)).map(
      ([from, to, other]): Act =>
        async (vault) =>
          make.cp(vault, from, to, other),
    ),
  );
});

/** How often something was taken back. */
let takenBack = 0;

const generationOf = ({ document }: Vault): number => document.snapshot.value.n;

/** @returns whether it changed the vault */
async function happens(vault: Vault, act: Act): Promise<boolean> {
  const before = generationOf(vault);
  try {
    await act(vault);
  } catch (error) {
    if (!(error instanceof SecretsManagerError)) throw error;
    return false;
  }
  return generationOf(vault) > before;
}

test('undo brings back what was there before, and --redo what was there after', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(change, fc.boolean()), { minLength: 8, maxLength: 25 }),
      async (steps) => {
        const team = await teamVault(environments);
        await asOwner(team, async (owner) => {
          await changesIn('staging').importAll(owner, [
            ['a', '1'],
            ['b', '2'],
          ]);
          for (const [act, stays] of steps) {
            const was = await secretsOf(owner);
            if (!(await happens(owner, act))) continue;
            const is = await secretsOf(owner);
            await undo(owner);
            expect(await secretsOf(owner)).toEqual(was);
            await redo(owner);
            expect(await secretsOf(owner)).toEqual(is);
            takenBack += 1;
            if (stays) continue;
            await undo(owner);
            expect(await secretsOf(owner)).toEqual(was);
          }
          await verified(owner);
        });
      },
    ),
    { numRuns: 15 },
  );
  expect(takenBack).toBeGreaterThan(50);
});
