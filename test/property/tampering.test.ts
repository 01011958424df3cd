/**
 * A changed vault file is refused with the documented exit code, or gives exactly the right value because what was changed is
 * not what is read. It never gives another value, and never any other error: no crash, no "not found", no "wrong key".
 *
 * The recovery key unlocks, which needs no stretching; the passphrase slot is in the file all the same.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { SecretsManagerError } from '../../src/errors.ts';
import { failureOf } from '../support/failure.ts';
import type { Place } from '../../src/vault/place.ts';
import { get, makeVault, open, openWith, placeIn, put, type SampleVault } from '../support/sample-vault.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const right = 'the right value';
let sample: SampleVault;
let original: Buffer;
let log: Buffer;

beforeAll(async () => {
  sample = await makeVault(placeIn(temporaryFolder()));
  const vault = await open(sample);
  await put(vault, 'wanted', 'the value before');
  await put(vault, 'wanted', right);
  await put(vault, 'other', 'another value');
  await put(vault, 'elsewhere', 'in the other environment', { environment: 'production' });
  vault.close();
  original = readFileSync(sample.place.path);
  log = readFileSync(sample.place.audit.path);
});

/** What reading the secret out of this file ends in: its value, or the exit code of a documented error. */
async function read(file: Uint8Array, place: Place = sample.place): Promise<string> {
  writeFileSync(place.path, file);
  writeFileSync(place.audit.path, log);
  let vault;
  try {
    vault = await openWith(place, sample.recoveryKey);
    return `value: ${await get(vault, 'wanted')}`;
  } catch (error) {
    if (error instanceof SecretsManagerError) return `exit ${error.exitCode}`;
    throw error;
  } finally {
    vault?.close();
  }
}

async function expectRefusedOrRight(file: Uint8Array): Promise<string> {
  const outcome = await read(file);
  expect(['exit 7', `value: ${right}`]).toContain(outcome);
  return outcome;
}

function flipped(at: number, bit: number): Buffer {
  const changed = Buffer.from(original);
  changed[at] = (changed[at] ?? 0) ^ (1 << bit);
  return changed;
}

/** Offsets of the lines of the file, with their LFs. */
function linesOf(file: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < file.length;) {
    const end = file.indexOf(0x0a, start) + 1;
    lines.push(file.subarray(start, end));
    start = end;
  }
  return lines;
}

test('the file as it was made gives the right value', async () => {
  expect(await read(original)).toBe(`value: ${right}`);
});

test('every byte of the first 200, changed', async () => {
  for (let at = 0; at < 200; at++) expect(await read(flipped(at, at % 8))).toBe('exit 7');
});

test('any byte, changed', async () => {
  const seen = { 'exit 7': 0, right: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(original.length - 1), fc.nat(7), async (at, bit) => {
      const outcome = await expectRefusedOrRight(flipped(at, bit));
      seen[outcome === 'exit 7' ? outcome : 'right'] += 1;
    }),
    { numRuns: 600 },
  );
  // The head, the snapshot and the shards that are read are most of the file; the other environment's are the rest.
  expect(seen['exit 7']).toBeGreaterThan(300);
  expect(seen.right).toBeGreaterThan(0);
});

test('any byte of the lines that are read, and of the head: refused', async () => {
  const lines = linesOf(original);
  const isUnread = (line: Buffer): boolean => {
    const production = JSON.parse(lines[2]?.toString() ?? '') as {
      environments: { id: string; name: string }[];
    };
    const id = production.environments.find((entry) => entry.name === 'production')?.id ?? 'none';
    return /^\{"kind":"(block|value)"/.test(line.toString()) && line.includes(`"environment":"${id}"`);
  };
  const offsets: number[] = [];
  let start = 0;
  for (const line of lines) {
    if (!isUnread(line)) for (let at = 0; at < line.length; at++) offsets.push(start + at);
    start += line.length;
  }
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...offsets), fc.nat(7), async (at, bit) => {
      expect(await read(flipped(at, bit))).toBe('exit 7');
    }),
    { numRuns: 200 },
  );
});

test('cut at any length', async () => {
  const somewhere = fc.oneof(fc.nat(original.length - 1), fc.nat(300));
  await fc.assert(
    fc.asyncProperty(somewhere, async (length) => {
      expect(await read(original.subarray(0, length))).toBe('exit 7');
    }),
    { numRuns: 150 },
  );
  for (const length of [0, 1, original.length - 1])
    expect(await read(original.subarray(0, length))).toBe('exit 7');
});

test('cut in its first line: damaged, and not taken for a newer format', async () => {
  for (let length = 1; length < 60; length++) {
    writeFileSync(sample.place.path, original.subarray(0, length));
    const error = await failureOf(openWith(sample.place, sample.recoveryKey));
    expect(error.code).toBe('INTEGRITY');
  }
});

test('with bytes added anywhere', async () => {
  const added = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 8 }), fc.constantFrom(Uint8Array.of(0x0a)));
  await fc.assert(
    fc.asyncProperty(fc.nat(original.length), added, async (at, bytes) => {
      expect(await read(Buffer.concat([original.subarray(0, at), bytes, original.subarray(at)]))).toBe(
        'exit 7',
      );
    }),
    { numRuns: 100 },
  );
});

test('with lines swapped, doubled or left out', async () => {
  const lines = linesOf(original);
  const index = fc.nat(lines.length - 1);
  await fc.assert(
    fc.asyncProperty(index, index, fc.constantFrom('swap', 'double', 'drop'), async (a, b, what) => {
      const changed = [...lines];
      const one = lines[a] ?? Buffer.alloc(0);
      if (what === 'swap') {
        changed[a] = lines[b] ?? Buffer.alloc(0);
        changed[b] = one;
      } else changed.splice(b, what === 'double' ? 0 : 1, ...(what === 'double' ? [one] : []));
      const file = Buffer.concat(changed);
      if (file.equals(original)) return;
      expect(await expectRefusedOrRight(file)).toMatch(/^(exit 7|value: )/);
    }),
    { numRuns: 150 },
  );
});

test('files that are nothing of ours', async () => {
  const junk = [
    '',
    '\n',
    '{}\n',
    '[]\n',
    'null\n',
    '{"kind":"vault"}\n',
    '{"kind":"vault","format":1}\n',
    '{"kind":"vault","format":2,"id":"AAAAAAAAAAAAAAAAAAAAAA"}\n',
    `{"kind":"${'x'.repeat(100_000)}"}\n`,
    '{"kind":"root"}\n'.repeat(10_000),
    `{"kind":"vault","format":1,"id":"AAAAAAAAAAAAAAAAAAAAAA"}\n${'['.repeat(200_000)}\n`,
    '\ufeff{"kind":"vault","format":1,"id":"AAAAAAAAAAAAAAAAAAAAAA"}\n',
    'DB_PASSWORD=x\n',
    '\u0000'.repeat(1_000),
  ];
  for (const text of junk) expect(await read(Buffer.from(text))).toBe('exit 7');
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
      expect(await read(bytes)).toBe('exit 7');
    }),
    { numRuns: 50 },
  );
});
