/**
 * No manipulation of an audit log goes unnoticed: each of many random ones is found, located, named for what it is, and what comes before
 * it is proven as far as somebody has sealed it.
 *
 * What is right to say:
 *   a byte or a member is another one      that line, `changed`
 *   lines are gone                         the first line after the gap, `removed`; at the end the first missing one, `truncated`
 *   two lines swapped, a line moved        the first line that is not in its place, `reordered`
 *   a line twice, lines of another log     the first one that does not belong there, `inserted`
 *   another record that somebody signed    that line, `changed`: the next one does not continue it, or this machine knows another
 *   the end is gone                        found by the vault's snapshot, as far as that goes; beyond, by this machine's memory or a checkpoint
 */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { AuditFault } from '../../src/audit/fault.ts';
import { proveLog } from '../../src/vault/operations/audit-proof.ts';
import { Scope } from '../../src/vault/scope.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { eventfulLog, type EventfulLog } from '../support/eventful-log.ts';
import { settled } from '../support/failure.ts';
import { manipulations, type Manipulated } from '../support/log-manipulation.ts';
import { open } from '../support/sample-vault.ts';

const seed = 20_261_124;
let log: EventfulLog;
let vault: Vault;
let original: Buffer;

beforeAll(async () => {
  log = await eventfulLog();
  vault = await open(log.team);
  original = Buffer.concat([...log.lines]);
});

async function prove(bytes: Buffer, by: string): Promise<unknown> {
  const { document, authority, identity, place, rememberedLog } = vault;
  writeFileSync(place.audit.path, bytes);
  const scope = new Scope(document, authority, identity, place.now());
  const witness =
    by === 'this machine'
      ? { known: rememberedLog }
      : { known: null, checkpoints: [Uint8Array.from(log.checkpoint)] };
  return settled(proveLog(scope, place, witness));
}

/** The last record before a line that seals those before it. */
function provenBefore(line: number): number | null {
  const found = log.seals.slice(0, line - 1).lastIndexOf(true);
  return found < 0 ? null : found + 1;
}

function expectFound({ what, right }: Manipulated, outcome: unknown): void {
  expect(outcome, what).toBeInstanceOf(AuditFault);
  const { fault, proven, message } = outcome as AuditFault;
  const said = { line: fault.line, kind: fault.kind, sequence: fault.sequence };
  const sequence = right.open === true && fault.sequence === null ? null : right.sequence;
  expect(said, `${what}: ${message}`).toEqual({ line: right.line, kind: right.kind, sequence });
  expect(proven?.sequence ?? null, `proven, where ${what}`).toBe(provenBefore(right.line));
  expect(message).toContain(`line ${right.line} `);
  expect(message, what).toContain(right.by ?? '');
}

describe.each(['this machine', 'the checkpoint'] as const)('with %s as a witness', (by) => {
  test('the log as it is holds', async () => {
    const sealed = { sequence: log.lines.length };
    expect(await prove(original, by)).toMatchObject({
      records: log.lines.length,
      proven: sealed,
      unsealed: 0,
    });
  });

  test('lines of another log before the first one, or in its place, are found as such', async () => {
    for (const foreign of [log.ofAnotherPlace, log.ofAnotherVault])
      for (const [first, size, over] of [0, 1].flatMap((at) =>
        [1, 2, 4].flatMap((n) => [0, 1, 3].map((o) => [at, n, o])),
      )) {
        const lines = log.lines.toSpliced(0, over ?? 0, ...foreign.slice(first, (first ?? 0) + (size ?? 0)));
        const right = { line: 1, kind: 'inserted', sequence: (first ?? 0) + 1 } as const;
        const bytes = Buffer.concat(lines);
        const what = `${size} lines from ${first} on, over ${over}`;
        expectFound({ what, bytes: () => bytes, right }, await prove(bytes, by));
      }
  });

  test('every manipulation is found and located', async () => {
    let tried = 0;
    await fc.assert(
      fc.asyncProperty(manipulations(log, by), async (made) => {
        const manipulated = await made;
        // The same bytes are no manipulation.
        const bytes = manipulated.bytes();
        if (bytes.equals(original)) return;
        tried += 1;
        expectFound(manipulated, await prove(bytes, by));
      }),
      { numRuns: 1_000, seed },
    );
    expect(tried).toBeGreaterThan(900);
  });
});
