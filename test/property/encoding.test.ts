/** Encodings with one spelling: base64url, PAE, lines. docs/format.md section 1. */
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBase64url, parseBase64url, parseUtf8, utf8 } from '../../src/crypto/bytes.ts';
import { encodePae, type Piece } from '../../src/crypto/pae.ts';
import { IntegrityError } from '../../src/errors.ts';
import { signedRecord, unsignedRecord } from '../../src/format/audit-record.ts';
import { block, carry, note } from '../../src/format/catalog.ts';
import { encodeJson, parseJson, parseLine, signedPart, unsignedPart } from '../../src/format/json-line.ts';
import * as lines from '../../src/format/lines.ts';
import { nameProblem } from '../../src/format/name.ts';
import type { Shape } from '../../src/format/schema.ts';
import { attempt } from '../support/failure.ts';
import { anyUnits, textOf } from '../support/letters.ts';

const bytes = (length: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => encodeBase64url(array));
const someBytes = fc.uint8Array({ maxLength: 100 }).map((array) => encodeBase64url(array));
const shortId = bytes(8);
const longId = bytes(16);
const digest = bytes(32);
const sig = bytes(64);
const time = fc
  .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString());
const counter = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const orNone = (arbitrary: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(fc.constant(''), arbitrary);
/** Any well-formed text, control characters and astral planes too, of at most `most` bytes. */
const text = (most: number, least = 0): fc.Arbitrary<string> =>
  fc.string({ unit: 'binary', minLength: least, maxLength: Math.min(most >> 2, 24) });

const seen = fc.record(
  {
    header: fc.nat(),
    parts: fc.array(
      fc.tuple(shortId, fc.nat(), fc.nat(), fc.array(fc.tuple(shortId, counter), { maxLength: 2 })),
      { maxLength: 3 },
    ),
  },
  { noNullPrototype: true },
);

/** A record with its members in the order given. */
function members(model: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> {
  return fc.record(model, { noNullPrototype: true });
}

const kdf = fc.oneof(
  members({
    name: fc.constant('argon2id'),
    memoryKiB: fc.integer({ min: 8_192, max: 2_097_152 }),
    passes: fc.integer({ min: 1, max: 32 }),
    lanes: fc.integer({ min: 1, max: 16 }),
  }),
  members({
    name: fc.constant('pbkdf2-hmac-sha256'),
    iterations: fc.integer({ min: 100_000, max: 10_000_000 }),
  }),
  members({ name: fc.constant('none') }),
);

const part = { environment: shortId, epoch: counter, n: counter, time, by: shortId, seen };
const shards = fc.array(fc.tuple(digest, fc.nat(2 ** 30)), { minLength: 1, maxLength: 4 });

const shapes: Record<string, { shape: Shape<unknown>; model: Record<string, fc.Arbitrary<unknown>> }> = {
  vault: {
    shape: lines.vaultLine,
    model: { kind: fc.constant('vault'), format: fc.constant(1), id: longId },
  },
  root: {
    shape: lines.rootLine,
    model: {
      kind: fc.constant('root'),
      n: fc.nat(),
      prev: orNone(digest),
      time,
      by: shortId,
      admins: fc.array(fc.tuple(shortId, digest), { minLength: 1, maxLength: 3 }),
      sig,
    },
  },
  slot: {
    shape: lines.slotLine,
    model: {
      kind: fc.constant('slot'),
      principal: shortId,
      id: shortId,
      type: fc.constantFrom(...lines.slotTypes),
      kdf,
      salt: longId,
      hint: text(8_192),
      commit: digest,
      wrapped: someBytes,
    },
  },
  values: {
    shape: lines.valuesLine,
    model: { kind: fc.constant('values'), ...part, bits: fc.nat(12), shards, sig },
  },
  changes: {
    shape: lines.changesLine,
    model: { kind: fc.constant('changes'), ...part, base: digest, digest, size: fc.nat(2 ** 30), sig },
  },
  value: {
    shape: lines.valueLine,
    model: {
      kind: fc.constant('value'),
      environment: shortId,
      epoch: counter,
      secret: longId,
      version: counter,
      state: fc.constantFrom('live', 'pending', 'withdrawn'),
      time,
      author: shortId,
      by: shortId,
      form: fc.constantFrom('sym', 'seal'),
      ct: someBytes,
      note: someBytes,
      prev: orNone(digest),
      decision: orNone(shortId),
      sig,
    },
  },
  snapshot: {
    shape: lines.snapshotLine,
    model: {
      kind: fc.constant('snapshot'),
      n: counter,
      time,
      by: shortId,
      head: digest,
      logs: fc.array(fc.tuple(longId, counter, digest), { maxLength: 3 }),
      sig,
    },
  },
  'audit record': {
    shape: signedRecord,
    model: {
      log: longId,
      seq: counter,
      time,
      op: text(64, 1),
      ok: fc.boolean(),
      code: text(64),
      principal: shortId,
      environment: orNone(shortId),
      secrets: fc.array(fc.tuple(shortId, orNone(digest), fc.nat()), { maxLength: 3 }),
      context: members({
        user: text(256),
        host: text(256),
        address: text(256),
        program: text(256),
        session: text(256),
      }),
      source: text(64, 1),
      detail: text(1_024),
      header: counter,
      from: orNone(digest),
      to: orNone(digest),
      prev: orNone(digest),
      sig,
    },
  },
  'unsigned record': {
    shape: unsignedRecord,
    model: {
      log: longId,
      seq: counter,
      time,
      op: fc.constant('unlock'),
      ok: fc.constant(false),
      count: counter,
      prev: orNone(digest),
    },
  },
  catalog: {
    shape: block,
    model: {
      entries: fc.array(
        members({
          name: text(1_024, 1).filter((name) => nameProblem(name) === null),
          secret: longId,
          type: fc.constantFrom('api-key', 'other'),
          description: text(4_096),
          tags: fc.array(fc.tuple(text(256, 1), text(256)), { maxLength: 3 }),
          variable: fc.stringMatching(/^([A-Za-z_][A-Za-z0-9_]{0,20})?$/),
          created: time,
          interval: fc.nat(),
          hook: text(128),
          removed: orNone(time),
        }),
        { maxLength: 3 },
      ),
    },
  },
  note: {
    shape: note,
    model: {
      operation: fc.constantFrom('put', 'rollback'),
      rotations: fc.nat(),
      expires: orNone(time),
      graceUntil: orNone(time),
    },
  },
  carry: {
    shape: carry,
    model: {
      auditKeys: fc.array(fc.tuple(counter, digest), { maxLength: 3 }),
      policy: fc.array(fc.tuple(text(128, 1), text(65_536)), { maxLength: 3 }),
    },
  },
};

describe.each(Object.entries(shapes))('%s', (what, { shape, model }) => {
  const value = members(model);

  test('parse of encode is identity', () => {
    fc.assert(
      fc.property(value, (wanted) => {
        const raw = encodeJson(wanted, shape, what);
        expect(parseJson(raw, shape, what)).toEqual(wanted);
      }),
    );
  });

  test('what parses encodes to the same bytes again, whatever was done to it', () => {
    const changes = fc.array(
      fc.tuple(fc.nat(), fc.constantFrom('flip', 'insert', 'delete', 'swap'), fc.nat(255)),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    fc.assert(
      fc.property(value, changes, (wanted, steps) => {
        const raw = [...encodeJson(wanted, shape, what)];
        for (const [at, step, byte] of steps) {
          const index = at % raw.length;
          if (step === 'flip') raw[index] = (raw[index] ?? 0) ^ (1 << (byte & 7));
          else if (step === 'insert') raw.splice(index, 0, byte);
          else if (step === 'delete') raw.splice(index, 1);
          else raw.push(...raw.splice(index, 1));
        }
        const changed = Uint8Array.from(raw);
        const again = attempt(() => encodeJson(parseLine(changed, shape, what).value, shape, what));
        expect(again instanceof IntegrityError ? changed : again).toEqual(changed);
      }),
    );
  });

  test('anything that is JSON and nothing of ours is refused with the documented class', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (json) => {
        expect(() => parseJson(utf8(json), shape, what)).toThrow(IntegrityError);
      }),
    );
  });
});

test('the signed part of a parsed line is the line without its signature', () => {
  const value = members(shapes['root']?.model ?? {});
  fc.assert(
    fc.property(value, (wanted) => {
      const { sig: _sig, ...unsigned } = wanted as { sig: string };
      const line = parseLine(
        encodeJson(wanted, lines.rootLine as Shape<object>, 'root'),
        lines.rootLine,
        'root',
      );
      expect(signedPart(line.raw)).toEqual(unsignedPart(unsigned));
    }),
  );
});

describe('base64url', () => {
  test('parse of encode is identity, and the text is the standard one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (array) => {
        const encoded = encodeBase64url(array);
        expect(encoded).toMatch(/^[\w-]*$/);
        expect(parseBase64url(encoded)).toEqual(Uint8Array.from(array));
      }),
    );
  });

  test('what parses is its own encoding', () => {
    const near = textOf('AZaz09-_+/= \n\u0000é', 12);
    fc.assert(
      fc.property(fc.oneof(near, fc.string(), fc.base64String()), (spelling) => {
        const parsed = parseBase64url(spelling);
        expect(parsed === null ? spelling : encodeBase64url(parsed)).toBe(spelling);
      }),
      { numRuns: 1_000 },
    );
  });

  test('no second spelling parses: padding, white space, the other alphabet, unused bits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), (array, at) => {
        const encoded = encodeBase64url(array);
        const middle = at % encoded.length;
        for (const extra of ['=', ' ', '\n', '\r', '\t', '\u0000', '.', 'é', '\ufeff']) {
          expect(parseBase64url(encoded + extra)).toBeNull();
          expect(parseBase64url(extra + encoded)).toBeNull();
          expect(parseBase64url(encoded.slice(0, middle) + extra + encoded.slice(middle))).toBeNull();
        }
        const standard = Buffer.from(array).toString('base64').replaceAll('=', '');
        expect(standard === encoded ? null : parseBase64url(standard)).toBeNull();
        // Unused bits of the last character: every other last character that decodes to the same bytes.
        const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
        const unused = [1, 16, 4][array.length % 3] ?? 1;
        const last = alphabet.indexOf(encoded.at(-1) ?? '');
        for (let bits = 1; bits < unused; bits++) {
          expect(parseBase64url(encoded.slice(0, -1) + (alphabet[last + bits] ?? ''))).toBeNull();
        }
      }),
    );
  });
});

describe('PAE', () => {
  const pieces = fc.array(
    fc.oneof(fc.string({ unit: 'binary', maxLength: 6 }), fc.nat(), fc.uint8Array({ maxLength: 6 })),
    { maxLength: 5 },
  );
  const canonical = (list: readonly Piece[]): string =>
    JSON.stringify(
      list.map((piece) =>
        Buffer.from(typeof piece === 'object' ? piece : utf8(String(piece))).toString('hex'),
      ),
    );

  test('lists of other pieces have other bytes', () => {
    fc.assert(
      fc.property(pieces, pieces, (a, b) => {
        const same = Buffer.compare(encodePae(a), encodePae(b)) === 0;
        expect(same).toBe(canonical(a) === canonical(b));
      }),
      { numRuns: 1_000 },
    );
  });

  test('moving a boundary between pieces, or splitting one, makes other bytes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary-ascii', minLength: 2, maxLength: 10 }),
        fc.nat(),
        fc.nat(),
        (word, i, j) => {
          const at = i % (word.length + 1);
          const other = j % (word.length + 1);
          const one = encodePae([word.slice(0, at), word.slice(at)]);
          expect(Buffer.compare(one, encodePae([word]))).not.toBe(0);
          expect(Buffer.compare(one, encodePae([word.slice(0, other), word.slice(other)])) === 0).toBe(
            at === other,
          );
        },
      ),
    );
  });

  test('its bytes can be read back to the pieces', () => {
    fc.assert(
      fc.property(pieces, (list) => {
        const encoded = Buffer.from(encodePae(list));
        const found: string[] = [];
        let at = 8;
        for (let left = Number(encoded.readBigUInt64LE(0)); left > 0; left--) {
          const length = Number(encoded.readBigUInt64LE(at));
          found.push(encoded.toString('hex', at + 8, at + 8 + length));
          at += 8 + length;
        }
        expect(at).toBe(encoded.length);
        expect(JSON.stringify(found)).toBe(canonical(list));
      }),
    );
  });
});

describe('UTF-8', () => {
  /** Text there and back; a surrogate without its half, or bytes that are not UTF-8, give `null`. */
  const orNull = <T>(work: () => T): T | null => {
    try {
      return work();
    } catch (error) {
      if (error instanceof TypeError) return null;
      throw error;
    }
  };

  test('text with a lone surrogate has no bytes, other text comes back', () => {
    fc.assert(
      fc.property(anyUnits(10), (any) => {
        expect(orNull(() => parseUtf8(utf8(any)))).toBe(any.isWellFormed() ? any : null);
      }),
    );
  });

  test('bytes that parse are the bytes of the text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (array) => {
        const again = orNull(() => utf8(parseUtf8(array)));
        expect(again ?? array).toEqual(array);
        expect(again === null).toBe(!isUtf8(array));
      }),
      { numRuns: 1_000 },
    );
  });
});
