/** Fields, patterns, times and generated values, as commands hand them on. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseUtf8, utf8 } from '../../src/crypto/bytes.ts';
import { UsageError } from '../../src/errors.ts';
import { readField, withField } from '../../src/lifecycle/field.ts';
import { generate } from '../../src/lifecycle/generate.ts';
import { matchesPattern } from '../../src/lifecycle/glob.ts';
import { parseDuration, parseMoment } from '../../src/lifecycle/time.ts';
import { attempt, kindOf } from '../support/failure.ts';
import { anyUnits, oneOf, textOf } from '../support/letters.ts';
import { systemRandom } from '../support/sample-vault.ts';

// No `"` and no `\` in a member's name: the engine itself sometimes reads such a name wrong (nodejs/node issue 63785).
const member = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', '0', '1', ''),
  textOf("abcé{}:,'", 3),
);
const field = fc.array(member, { minLength: 1, maxLength: 3 }).map((steps) => steps.join('.'));
const wellFormed = fc.string({ unit: 'binary', maxLength: 8 });

describe('fields', () => {
  const json = fc.letrec((tie) => ({
    // Parsed from text, so that `__proto__` is a member like any other, as it is in a stored value.
    node: fc.oneof(
      { depthSize: 'small' },
      wellFormed.map((text) => JSON.stringify(text)),
      fc.constantFrom('null', 'true', '7'),
      fc.array(tie('node') as fc.Arbitrary<string>, { maxLength: 3 }).map((all) => `[${all.join(',')}]`),
      fc
        .uniqueArray(fc.tuple(member, tie('node') as fc.Arbitrary<string>), {
          maxLength: 4,
          selector: ([key]) => key,
        })
        .map((all) => `{${all.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`),
    ),
  })).node;

  /** The reader that one would write first, on own members only. */
  function reference(text: string, path: string): string | null {
    let node: unknown = JSON.parse(text);
    for (const step of path.split('.')) {
      const isIndex = Array.isArray(node) && /^(0|[1-9]\d*)$/.test(step);
      const isMember = typeof node === 'object' && node !== null && !Array.isArray(node);
      if (!isIndex && !isMember) return null;
      if (!Object.hasOwn(node as object, step)) return null;
      node = Object.getOwnPropertyDescriptor(node, step)?.value;
    }
    return typeof node === 'string' ? node : JSON.stringify(node);
  }

  test('are read where they are, and not found where they are not', () => {
    fc.assert(
      fc.property(json, field, (text, path) => {
        const wanted = reference(text, path);
        const found = attempt(() => parseUtf8(readField(utf8(text), path)));
        expect(typeof found === 'string' ? found : found.code).toBe(wanted ?? 'FIELD_NOT_FOUND');
      }),
      { numRuns: 500 },
    );
  });

  test('are set: then read back, and every other one stays', () => {
    fc.assert(
      fc.property(json, field, field, wellFormed, (text, path, other, value) => {
        const changed = attempt(() => parseUtf8(withField(utf8(text), path, value)));
        expect(['value', 'UsageError']).toContain(kindOf(changed));
        if (typeof changed !== 'string') return;
        expect(parseUtf8(readField(utf8(changed), path))).toBe(value);
        const apart = !`${path}.`.startsWith(`${other}.`) && !`${other}.`.startsWith(`${path}.`);
        expect(apart ? reference(changed, other) : null).toBe(apart ? reference(text, other) : null);
        expect(Object.prototype).not.toHaveProperty('polluted');
        expect(({} as Record<string, unknown>)['a']).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test.each(['__proto__', 'constructor.prototype.polluted', '__proto__.polluted', 'a.__proto__.b'])(
    '%s is a field like any other',
    (path) => {
      const value = withField(null, path, 'x');
      expect(parseUtf8(readField(value, path))).toBe('x');
      expect(reference(parseUtf8(value), path)).toBe('x');
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );

  test('of a value that is not JSON are refused, and its text is not quoted', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 3, maxLength: 20 }), (array) => {
        // An opening brace and three control characters are never JSON.
        const value = Uint8Array.from([0x7b, 1, 2, 3, ...array]);
        const error = attempt(() => readField(value, 'a'));
        expect(error).toBeInstanceOf(UsageError);
        expect(error).not.toHaveProperty('cause');
        expect(error).toHaveProperty(
          'message',
          expect.not.stringContaining(Buffer.from(array).toString('latin1')),
        );
      }),
    );
  });
});

describe('patterns', () => {
  /** What a pattern means, tried in every way: `?` one character but `/`, `*` any of those, `**` anything. */
  function reference(pattern: string, name: string): boolean {
    const wild = /[*?]/.test(pattern);
    const bare = !wild && pattern.endsWith('/') ? pattern.slice(0, -1) : pattern;
    if (!wild) return name === bare || name.startsWith(`${bare}/`);
    const pieces = bare
      .split(/(\*\*|\*|\?)/)
      .flatMap((piece) => (/^\*{1,2}$/.test(piece) ? [piece] : Array.from(piece)));
    const letters = Array.from(name);
    const from = (at: number, i: number): boolean => {
      const piece = pieces[at];
      const letter = letters[i];
      if (piece === undefined) return letter === undefined;
      if (piece === '**') return from(at + 1, i) || (letter !== undefined && from(at, i + 1));
      if (piece === '*')
        return from(at + 1, i) || (letter !== undefined && letter !== '/' && from(at, i + 1));
      if (letter === undefined) return false;
      return (piece === '?' ? letter !== '/' : piece === letter) && from(at + 1, i + 1);
    };
    return from(0, 0);
  }

  const special = textOf('ab/.*?+^${}()|[]\\-,:!&~#\u2028\n😀', 7);

  test('match as the rule says, whatever stands in them', () => {
    fc.assert(
      fc.property(special, special, (pattern, name) => {
        expect(matchesPattern(pattern, name)).toBe(reference(pattern, name));
      }),
      { numRuns: 2_000 },
    );
  });

  test('never throw', () => {
    const any = anyUnits(20);
    fc.assert(
      fc.property(fc.oneof(any, special), any, (pattern, name) => {
        expect(typeof matchesPattern(pattern, name)).toBe('boolean');
      }),
      { numRuns: 1_000 },
    );
  });

  test('a name without wildcards matches itself and what is below it', () => {
    const plain = textOf('ab.+$^()[]{}|\\', 6, 1);
    fc.assert(
      fc.property(plain, plain, (folder, name) => {
        expect(matchesPattern(folder, folder)).toBe(true);
        expect(matchesPattern(folder, `${folder}/${name}`)).toBe(true);
        expect(matchesPattern(folder, `${folder}${name}`)).toBe(false);
        expect(matchesPattern(`${folder}/*`, `${folder}/${name}`)).toBe(true);
        expect(matchesPattern(`${folder}/*`, `${folder}/${name}/x`)).toBe(false);
        expect(matchesPattern(`${folder}/**`, `${folder}/${name}/x`)).toBe(true);
      }),
    );
  });
});

describe('times', () => {
  const seconds: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800, y: 31_536_000 };
  const longest = 1_000 * 31_536_000;

  test('a duration is its number times its unit, up to 1,000 years', () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), oneOf('smhdwy'), (amount, unit) => {
        const wanted = amount * (seconds[unit] ?? 0);
        const outcome = attempt(() => parseDuration(`${amount}${unit}`));
        expect(typeof outcome === 'number' ? outcome : outcome.code).toBe(
          wanted <= longest ? wanted : 'USAGE',
        );
      }),
    );
  });

  const near = textOf('0123456789smhdwyTZ:.+- ', 24);
  const now = new Date('2026-11-22T08:00:00.000Z');

  test('any other text is refused with the documented class', () => {
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        if (/^\d{1,9}[smhdwy]$/.test(text)) return;
        expect(() => parseDuration(text)).toThrow(UsageError);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        const outcome = attempt(() => parseMoment(text, now));
        expect(outcome instanceof Date ? Number.isNaN(outcome.getTime()) : outcome.code !== 'USAGE').toBe(
          false,
        );
      }),
      { numRuns: 500 },
    );
  });

  test('a moment that was written comes back', () => {
    const date = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(date, (moment) => {
        expect(parseMoment(moment.toISOString(), now)).toEqual(moment);
        const day = moment.toISOString().slice(0, 10);
        expect(parseMoment(day, now).toISOString()).toBe(`${day}T00:00:00.000Z`);
      }),
    );
  });

  test('a day that does not exist is refused, not moved', () => {
    for (const day of [
      '2026-02-29',
      '2026-02-31',
      '2026-04-31',
      '2026-13-01',
      '2026-00-10',
      '2026-01-00',
      '2100-02-29',
    ]) {
      expect(() => parseMoment(day, now)).toThrow(UsageError);
      expect(() => parseMoment(`${day}T12:00:00Z`, now)).toThrow(UsageError);
    }
    expect(parseMoment('2028-02-29', now).toISOString()).toBe('2028-02-29T00:00:00.000Z');
  });

  test('a duration counts from now', () => {
    expect(parseMoment('90m', now).toISOString()).toBe('2026-11-22T09:30:00.000Z');
  });
});

describe('generated values', () => {
  const made = async (spec: string): Promise<string> => parseUtf8(await generate(systemRandom, spec));
  const sets: Record<string, RegExp> = { l: /[a-z]/, u: /[A-Z]/, d: /[0-9]/, s: /[-_.~]/ };

  test('a password has its length, every class that was asked for and no other character', async () => {
    const kinds = fc.uniqueArray(oneOf('luds'), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 4, max: 200 }), kinds, async (length, wanted) => {
        const password = await made(`password:${length}:${wanted.join('')}`);
        expect(password).toHaveLength(length);
        for (const kind of wanted) expect(password).toMatch(sets[kind] ?? /never/);
        const allowed = wanted.map((kind) => sets[kind]?.source.slice(1, -1) ?? '').join('');
        expect(password).toMatch(new RegExp(`^[${allowed.replace('-_.~', '\\-_.~')}]*$`));
      }),
    );
  });

  test('hex, base64 and base64url are of as many bytes as was said', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 300 }), async (size) => {
        expect(await made(`hex:${size}`)).toMatch(new RegExp(`^[0-9a-f]{${size * 2}}$`));
        expect(Buffer.from(await made(`base64:${size}`), 'base64')).toHaveLength(size);
        expect(await made(`base64:${size}`)).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
        expect(Buffer.from(await made(`base64url:${size}`), 'base64url')).toHaveLength(size);
        expect(await made(`base64url:${size}`)).toMatch(/^[\w-]+$/);
      }),
    );
  });

  test('a UUID is one of version 4', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constant('uuid'), async (spec) => {
        expect(await made(spec)).toMatch(
          /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        );
      }),
    );
  });

  test('any other text is refused with the documented class', async () => {
    const near = fc
      .tuple(
        fc.constantFrom('password', 'hex', 'base64', 'uuid', 'passwd', ''),
        textOf(':0123456789luds-x', 6),
      )
      .map(([kind, rest]) => `${kind}:${rest}`);
    await fc.assert(
      fc.asyncProperty(fc.oneof(near, fc.string()), async (spec) => {
        expect(['value', 'UsageError']).toContain(
          kindOf(await made(spec).catch((error: unknown) => error as Error)),
        );
      }),
    );
  });
});
