/**
 * Values opened to be judged: whether one can be guessed, and whether two are the same. Each is wiped after it was looked at; which are the
 * same is told by an HMAC under a key of this run alone, wiped at its end. docs/decisions/0015-health.md.
 */
import type { RandomSource } from '../../crypto/aead.ts';
import { encodeBase64url, type Bytes } from '../../crypto/bytes.ts';
import { hmacSha256 } from '../../crypto/hash.ts';
import { IntegrityError, SecretsManagerError } from '../../errors.ts';
import { judge } from '../../lifecycle/weakness.ts';
import { databaseHint, finding, type Finding } from './finding.ts';
import type { Looked } from './survey.ts';

interface SecretPlace {
  readonly environment: string;
  readonly name: string;
}

interface Place extends SecretPlace {
  readonly isDatabase: boolean;
}

interface Weak extends Place {
  readonly weakness: 'empty' | 'easy to guess';
}

export class ValueCheck {
  readonly #key: Bytes;
  readonly #places = new Map<string, Place[]>();
  readonly #weak: Weak[] = [];
  readonly #failed: (SecretPlace & { readonly why: string })[] = [];

  constructor(random: RandomSource) {
    this.#key = random(32);
  }

  /** What fails at one value, by what somebody has stored or by a bug, is told of that one. @throws IntegrityError for a value that does not hold */
  async look(secret: Looked): Promise<void> {
    try {
      await this.#judge(secret);
    } catch (error) {
      if (error instanceof IntegrityError) throw error;
      // Its message may quote the value.
      const why =
        error instanceof SecretsManagerError ? error.code : error instanceof Error ? error.name : 'Error';
      this.#failed.push({ environment: secret.reader.part.entry.name, name: secret.entry.name, why });
    }
  }

  async #judge({ reader, entry, history, current }: Looked): Promise<void> {
    await reader.checkVersion(history, current.value.version);
    const value = await reader.open(current);
    const { name, type } = entry;
    const isDatabase = type === 'database-credential';
    const place = { environment: reader.part.entry.name, name, isDatabase };
    try {
      const { weakness, compared } = judge(type, name, value.bytes);
      if (weakness !== null) this.#weak.push({ ...place, weakness });
      if (compared === null) return;
      try {
        const tag = encodeBase64url(await hmacSha256(this.#key, compared));
        const same = this.#places.get(tag);
        if (same === undefined) this.#places.set(tag, [place]);
        else same.push(place);
      } finally {
        compared.fill(0);
      }
    } finally {
      value.wipe();
    }
  }

  /** Nothing can be compared with what was seen any more. */
  close(): void {
    this.#key.fill(0);
    this.#places.clear();
  }

  get weak(): number {
    return this.#weak.length;
  }

  /** Values that stand in more than one place. */
  get #shared(): Place[][] {
    const inOrder = (a: Place, b: Place): number => (keyOf(a) < keyOf(b) ? -1 : 1);
    const groups = [...this.#places.values()].filter((places) => places.length > 1);
    for (const places of groups) places.sort(inOrder);
    return groups.sort(([a], [b]) => (a === undefined || b === undefined ? 0 : inOrder(a, b)));
  }

  /** Secrets whose value another one of a different name has, too. */
  get reused(): number {
    return this.#shared.filter(hasSeveralNames).reduce((sum, places) => sum + places.length, 0);
  }

  findings(): Finding[] {
    return [...this.#weakFindings(), ...this.#shared.map(sharedFinding), ...this.#failures()];
  }

  #failures(): Finding[] {
    return grouped(this.#failed, ({ environment, why }) => [environment, why]).map(
      ([{ environment, why }, names]) =>
        finding(
          'value-not-judged',
          `this program failed at ${names.length === 1 ? 'a value' : `${names.length} values`} (${why})`,
          {
            environment,
            names,
          },
        ),
    );
  }

  #weakFindings(): Finding[] {
    const groups = grouped(this.#weak, ({ environment, weakness, isDatabase }) => [
      environment,
      weakness,
      String(isDatabase),
    ]);
    return groups.map(([{ environment, weakness, isDatabase }, names]) => {
      const message =
        names.length === 1 ? `a value is ${weakness}` : `${names.length} values are ${weakness}`;
      return finding('weak-value', message, {
        environment,
        names,
        ...(isDatabase ? { hint: databaseHint } : {}),
      });
    });
  }
}

/** One of each group, and the names in it, in order: they were seen in none. */
function grouped<T extends SecretPlace>(
  all: readonly T[],
  by: (one: T) => readonly string[],
): (readonly [T, readonly string[]])[] {
  const groups = new Map<string, { readonly first: T; readonly names: string[] }>();
  for (const one of all) {
    const key = JSON.stringify(by(one));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: one, names: [one.name] });
    else group.names.push(one.name);
  }
  const inOrder = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return inOrder.map(([, { first, names }]) => [first, names.sort()]);
}

const keyOf = ({ environment, name }: Place): string => `${environment}\n${name}`;

const hasSeveralNames = (places: readonly Place[]): boolean =>
  places.some(({ name }) => name !== places[0]?.name);

const isProduction = (environment: string): boolean => /^prod(?:uction)?(?![a-z])/iu.test(environment);

/** As `vault://ENV/NAME`, which commands understand. */
function referenceTo({ environment, name }: Place): string {
  const part = (text: string): string => encodeURIComponent(text.toWellFormed());
  return `vault://${part(environment)}/${name.split('/').map(part).join('/')}`;
}

function sharedFinding(places: readonly Place[]): Finding {
  const [environment, ...others] = new Set(places.map((place) => place.environment));
  const within = others.length === 0 && environment !== undefined;
  const names = places.map((place) => (within ? place.name : referenceTo(place)));
  const where = { environment: within ? environment : null, names };
  if (hasSeveralNames(places))
    return finding('reused-value', `${places.length} secrets have the same value`, {
      ...where,
      ...(places.every(({ isDatabase }) => isDatabase) ? { hint: databaseHint } : {}),
    });
  const production = places.filter((place) => isProduction(place.environment)).length;
  return production > 0 && production < places.length
    ? finding('shared-with-production', 'the same value in production as elsewhere', where)
    : finding('shared-between-environments', `the same value in ${places.length} environments`, where);
}
