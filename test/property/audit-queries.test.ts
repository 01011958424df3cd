/** Queries of the audit log give what a naive reading of it gives: whatever is asked, and whoever asks. */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { auditKeysOf } from '../../src/vault/operations/audit-names.ts';
import { queryAudit, type AuditEntry, type AuditQuery } from '../../src/vault/operations/audit.ts';
import { nameHash } from '../../src/audit/record.ts';
import { Scope } from '../../src/vault/scope.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { records } from '../support/audit-records.ts';
import { oldLog, type OldLog } from '../support/pruning.ts';
import { open } from '../support/sample-vault.ts';
import { openToken } from '../support/team.ts';

const seed = 20_261_125;
const names = ['db', 'api', 'absent', 'never'];
const people = ['owner', 'ada', 'bob', 'eve', 'old', 'kim', 'nobody'];
let old: OldLog;
let owner: Vault;
let ada: Vault;

beforeAll(async () => {
  old = await oldLog();
  owner = await open(old.team);
  ada = await openToken(old.team.place, old.tokens.get('ada') ?? '');
});

const scopeOf = ({ document, authority, identity, place }: Vault): Scope =>
  new Scope(document, authority, identity, place.now());

type Names = ReadonlyMap<string, string>;

/** Hashes that somebody can tell, by any of their keys. */
async function known(vault: Vault): Promise<{ readonly all: Names; readonly listed: Names }> {
  const scope = scopeOf(vault);
  const [all, listed] = [new Map<string, string>(), new Map<string, string>()];
  for (const entry of scope.accessible()) {
    const reader = await scope.readerOf(entry);
    const present = new Set((await reader.entries()).map(({ name }) => name));
    for (const key of await auditKeysOf(scope, reader))
      for (const name of names) {
        const hash = await nameHash(key, name);
        all.set(hash, name);
        if (present.has(name)) listed.set(hash, name);
      }
  }
  scope.close();
  return { all, listed };
}

function naive(vault: Vault, hashes: Awaited<ReturnType<typeof known>>, query: AuditQuery): AuditEntry[] {
  const { header } = vault.authority;
  const environment = (id: string): string =>
    header.environments.find((entry) => entry.id === id)?.name ?? id;
  const person = (id: string): string =>
    [...header.retired, ...header.principals].find((one) => one.id === id)?.name ?? id;
  return records(vault.place)
    .map((record) => ({ record, isSigned: 'sig' in record }))
    .filter(({ record: { op, ok, time, principal, secrets, environment: where }, isSigned }) =>
      [
        query.operation === null || op === query.operation,
        query.principal === null || (isSigned && person(principal) === query.principal),
        query.environment === null || (isSigned && environment(where) === query.environment),
        query.name === null || (isSigned && secrets.some(([, hash]) => hashes.all.get(hash) === query.name)),
        query.since === null || new Date(time) >= query.since,
        query.until === null || new Date(time) <= query.until,
        !query.failed || !ok,
      ].every(Boolean),
    )
    .slice(-query.last)
    .map(({ record, isSigned }) => ({
      sequence: record.seq,
      time: record.time,
      operation: record.op,
      success: record.ok,
      code: isSigned && record.code !== '' ? record.code : null,
      principal: isSigned ? person(record.principal) : null,
      environment: isSigned && record.environment !== '' ? environment(record.environment) : null,
      secrets: isSigned
        ? record.secrets.map(([where, hash, version]) => ({
            environment: environment(where),
            name: hashes.listed.get(hash) ?? null,
            version,
          }))
        : [],
      context: isSigned ? record.context : null,
      detail: isSigned && record.detail !== '' ? record.detail : null,
    }));
}

const orNull = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(one, { nil: null, freq: 2 });

function queries(): fc.Arbitrary<AuditQuery> {
  const times = records(old.team.place).map(({ time }) => new Date(time).getTime());
  const time = fc
    .tuple(fc.constantFrom(...times), fc.constantFrom(-1, 0, 1, 30_000))
    .map(([at, more]) => new Date(at + more));
  const operations = [...new Set(records(old.team.place).map(({ op }) => op)), 'nothing', 'ge'];
  return fc.record({
    last: fc.constantFrom(1, 2, 5, 20, 1_000),
    operation: orNull(fc.constantFrom(...operations)),
    principal: orNull(fc.constantFrom(...people)),
    environment: orNull(fc.constantFrom('staging', 'production')),
    name: orNull(fc.constantFrom(...names)),
    since: orNull(time),
    until: orNull(time),
    failed: fc.boolean(),
  });
}

describe.each([
  ['an administrator', () => owner],
  ['somebody who sees one environment', () => ada],
])('as %s', (_, who) => {
  test('any query', async () => {
    const vault = who();
    old.reset();
    const hashes = await known(vault);
    const sizes = new Set<number>();
    await fc.assert(
      fc.asyncProperty(queries(), async (query) => {
        const { entries, last } = await queryAudit(scopeOf(vault), vault.place, query);
        sizes.add(entries.length);
        expect(entries).toEqual(naive(vault, hashes, query));
        expect(last).toBe(old.lines.length);
      }),
      { numRuns: 500, seed },
    );
    // Nothing, one, and many records were asked for.
    expect(sizes.size).toBeGreaterThan(5);
  });

  test('any query of a log in which clocks differ by hours', async () => {
    const vault = who();
    const hashes = await known(vault);
    const shifts = fc.array(fc.integer({ min: -11 * 3600, max: 11 * 3600 }), {
      minLength: old.lines.length,
      maxLength: old.lines.length,
    });
    old.reset();
    const original = records(old.team.place);
    await fc.assert(
      fc.asyncProperty(queries(), shifts, async (query, seconds) => {
        // Who asks does not verify: the records need not be genuine.
        const skewed = original.map((record, index) => {
          const time = new Date(
            new Date(record.time).getTime() + (seconds[index] ?? 0) * 1_000,
          ).toISOString();
          return `${JSON.stringify({ ...record, time })}\n`;
        });
        writeFileSync(vault.place.audit.path, skewed.join(''));
        const { entries } = await queryAudit(scopeOf(vault), vault.place, query);
        expect(entries).toEqual(naive(vault, hashes, query));
      }),
      { numRuns: 200, seed },
    );
    old.reset();
  });
});

test('only what is after a record, for who goes on', async () => {
  old.reset();
  const query = { last: 1_000, operation: null, principal: null, environment: null, name: null };
  const more = { since: null, until: null, failed: false };
  for (const after of [0, 1, 20, 46, 47, 48]) {
    const { entries, last } = await queryAudit(scopeOf(owner), owner.place, { ...query, ...more, after });
    const sequences = records(old.team.place).map(({ seq }) => seq);
    expect(entries.map(({ sequence }) => sequence)).toEqual(sequences.filter((seq) => seq > after));
    expect(last).toBe(47);
  }
});

test('what was recorded before an environment had new keys is found by its name', async () => {
  old.reset();
  const query = { last: 1_000, operation: 'put', principal: null, environment: null, name: 'db' };
  const more = { since: null, until: null, failed: false };
  const { entries } = await queryAudit(scopeOf(owner), owner.place, { ...query, ...more });
  expect(
    entries.map(({ sequence, secrets }) => [sequence, secrets[0]?.environment, secrets[0]?.name]),
  ).toEqual([
    [3, 'staging', 'db'],
    [4, 'production', 'db'],
    [16, 'staging', 'db'],
    [38, 'staging', 'db'],
  ]);
});
