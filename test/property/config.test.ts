/** Configuration files: the reader against the engine's, and the program's verdict against the published schemas'. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigText, parseJsonTree, type JsonNode } from '../../src/config/json-tree.ts';
import { parseProjectFile } from '../../src/config/project-file.ts';
import { parseUserSettings } from '../../src/config/user-settings.ts';
import { utf8 } from '../../src/crypto/bytes.ts';
import { SecretsManagerError } from '../../src/errors.ts';
import { projectCorpus, userCorpus, type Corpus } from '../support/config-corpus.ts';
import { attempt } from '../support/failure.ts';
import { oneOf } from '../support/letters.ts';
import { problemsWith } from '../support/published-schemas.ts';

function tree(text: string): JsonNode | SecretsManagerError {
  return attempt(() => parseJsonTree(new ConfigText('f', utf8(text))));
}

/** The value as the engine would have made it. */
function plain(node: JsonNode): unknown {
  if (node.type === 'object')
    return Object.fromEntries([...node.members].map(([name, { value }]) => [name, plain(value)]));
  if (node.type === 'array') return node.items.map(plain);
  return node.type === 'null' ? null : node.value;
}

function engine(text: string): { readonly value: unknown } | null {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return null;
  }
}

/** A text with some of its characters changed for others that mean something in JSON. */
const nearlyJson = fc
  .tuple(
    fc.json({ maxDepth: 4, stringUnit: 'binary' }),
    fc.array(
      fc.tuple(fc.nat(), oneOf('{}[]:,"\\ \t\n\r0123456789.eE+-truefalsn\u0000\u001f\u00a0/b'), fc.nat(2)),
      {
        maxLength: 3,
      },
    ),
  )
  .map(([text, edits]) =>
    edits.reduce((all, [at, character, removed]) => {
      const place = at % (all.length + 1);
      return all.slice(0, place) + character + all.slice(place + removed);
    }, text),
  )
  .filter((text) => text.isWellFormed());

describe('the JSON reader', () => {
  test('reads what the engine reads, and refuses what it refuses', () => {
    fc.assert(
      fc.property(nearlyJson, (text) => {
        const found = tree(text);
        const refused = found instanceof SecretsManagerError;
        // Two things are refused that the engine lets pass.
        fc.pre(!refused || !/is there twice|not valid Unicode/u.test(found.message));
        expect(refused ? null : { value: plain(found) }).toEqual(engine(text));
      }),
      { numRuns: 3_000 },
    );
  });
});

type Step = readonly [number, 'remove' | 'rename' | 'replace', unknown];

/** Every object and list within a value. */
function inside(value: unknown): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(inside)];
}

/** A copy with one member removed, renamed or replaced. */
function changed(value: unknown, [at, how, by]: Step): unknown {
  const copy = structuredClone(value);
  const places = inside(copy).flatMap((holder) => Object.keys(holder).map((key) => ({ holder, key })));
  const place = places[at % Math.max(places.length, 1)];
  if (place === undefined) return by;
  const { holder, key } = place;
  if (how !== 'replace' && Array.isArray(holder)) holder.splice(Number(key), 1);
  else if (how === 'replace') holder[key] = by;
  else {
    if (how === 'rename')
      Object.defineProperty(holder, typeof by === 'string' ? by : JSON.stringify(by), {
        value: holder[key],
        enumerable: true,
      });
    Reflect.deleteProperty(holder, key);
  }
  return copy;
}

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.nat(),
  fc.constantFrom('remove', 'rename', 'replace'),
  fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom<unknown>(
      'type',
      'variable',
      'environment',
      '__proto__',
      'a b',
      '',
      'p',
      'aws',
      'local',
      'password',
    ),
    fc.constantFrom<unknown>(
      'session',
      'auto',
      'wasm',
      '/x',
      '~/x',
      true,
      {},
      [],
      { type: 'env' },
      ['p'],
      null,
    ),
  ),
);

const corpora: readonly (readonly [string, Corpus, (text: string) => unknown])[] = [
  ['vault.json', projectCorpus, (text) => parseProjectFile(utf8(text), 'f')],
  ['config.json', userCorpus, (text) => parseUserSettings(utf8(text), 'f')],
];

describe.each(corpora)('%s', (_, { schema, accepted }, parse) => {
  test('is accepted by the program if and only if its schema accepts it', () => {
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(
        fc.constantFrom(...accepted),
        fc.array(step, { minLength: 1, maxLength: 3 }),
        (start, steps) => {
          const text = JSON.stringify(steps.reduce(changed, start));
          const outcome = attempt(() => parse(text));
          const refused = outcome instanceof SecretsManagerError;
          if (refused && /is not the ID of one|not valid Unicode|bytes/u.test(outcome.message)) return;
          seen[refused ? 'refused' : 'accepted'] += 1;
          const problems = problemsWith(schema, JSON.parse(text) as unknown);
          expect(problems.length > 0, `${text}: ${problems.join('; ')}`).toBe(refused);
        },
      ),
      { numRuns: 3_000 },
    );
    // The property says something only if both happen often.
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(100);
  });
});
