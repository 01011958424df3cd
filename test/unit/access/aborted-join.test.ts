/** A join by invitation that does not come to an end: its records are of keys that reached no file, and the log still verifies. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { makeRecord, recordDigest } from '../../../src/audit/record.ts';
import { parseUtf8, utf8 } from '../../../src/crypto/bytes.ts';
import { Domain } from '../../../src/crypto/pae.ts';
import { importSigningKey } from '../../../src/crypto/signature.ts';
import type { SignedRecord } from '../../../src/format/audit-record.ts';
import type { FileSystem } from '../../../src/storage/file-system.ts';
import type { Place } from '../../../src/vault/place.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { get, put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import { accept, asAda, invite } from '../../support/newcomer.ts';
import { add, asOwner, otherMachine, remove, teamVault, verifiedByOwner } from '../../support/team.ts';
import { cannotRecover, recover, recoverTitle } from '../../support/second-reader.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { diskError, dyingAt, watchedFileSystem } from '../../support/watched-file-system.ts';

let team: SampleVault;
let text: string;

beforeEach(async () => {
  team = await teamVault(['staging']);
  await asOwner(team, async (owner) => {
    await put(owner, 'db', 'of staging');
    await add(owner, 'ci', { can: 'read', env: 'staging' });
    text = await invite(owner, 'ada', { can: 'read', env: 'staging' });
  });
});

const operations = (): string[] => records(team.place).map(({ op }) => op);

/** A machine of the newcomer’s where the file is never replaced, for the disk is full. */
function failing(atRename: () => void = () => undefined): Place {
  const place = otherMachine(team);
  const renameSync: FileSystem['renameSync'] = (from, to) => {
    if (to !== place.path) {
      place.fs.renameSync(from, to);
      return;
    }
    atRename();
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  };
  return { ...place, fs: { ...place.fs, renameSync } };
}

async function diskFull(): Promise<void> {
  expect(await failureOf(accept(failing(), text))).toMatchObject({ code: 'BACKEND' });
}

/** What is recorded after the failure is taken back: a killed process records nothing more. */
async function killed(): Promise<void> {
  const { path } = team.place.audit;
  let log = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const atRename = (): void => {
    log = readFileSync(path);
  };
  await failureOf(accept(failing(atRename), text));
  writeFileSync(path, log);
}

describe.each([
  ['killed before the rename', killed],
  ['stopped by a full disk', diskFull],
] as const)('a join by invitation, %s,', (_, stop) => {
  test('leaves a log that verifies, and a vault as it was', async () => {
    const before = readFileSync(team.place.path);
    await stop();
    expect(operations()).toContain('join');
    expect(readFileSync(team.place.path)).toEqual(before);
    await verifiedByOwner(team);
    await asOwner(team, async (owner) => put(owner, 'db', 'another'));
    expect(operations()).toContain('aborted');
    await verifiedByOwner(team);
  });

  test.each([1, 2, 3])('%d times, and then not: she is in, and the log verifies all along', async (times) => {
    for (let time = 0; time < times; time++) await stop();
    const hers = otherMachine(team);
    expect(await accept(hers, text)).toBe('ada');
    await verifiedByOwner(team);
    await asOwner(team, async (owner) => put(owner, 'db', 'another'));
    await verifiedByOwner(team);
    expect(await asAda(hers, async (ada) => get(ada, 'db'))).toBe('another');
    await verifiedByOwner(team);
  });

  test('leaves a log that verifies when she is removed then', async () => {
    await stop();
    await asOwner(team, async (owner) => remove(owner, 'ada'));
    await verifiedByOwner(team);
  });

  test('in a log that she began: that verifies too', async () => {
    const audit = { type: 'file', path: `${temporaryFolder()}/audit.jsonl` } as const;
    team = { ...team, place: { ...team.place, audit } };
    await stop();
    await verifiedByOwner(team);
    await asOwner(team, async (owner) => put(owner, 'db', 'another'));
    await verifiedByOwner(team);
  });
});

test(
  'killed before any step, where somebody else had been killed before: the log verifies all along',
  { timeout: 60_000 },
  async () => {
    const folder = dirname(team.place.path);
    const kept = temporaryFolder();
    cpSync(folder, kept, { recursive: true });
    const operationsSeen = new Set<string>();
    for (let last = 1, isDone = false; !isDone; last++) {
      rmSync(folder, { recursive: true, force: true });
      cpSync(kept, folder, { recursive: true });
      // Her first record says that this write did not happen.
      const dying = dyingAt(({ call, path: at }) => call === 'renameSync' && at === `${team.place.path}.new`);
      await asOwner({ ...team, place: { ...team.place, fs: dying } }, async (owner) =>
        failureOf(put(owner, 'db', 'never there')),
      );
      const present = records(team.place).length;
      let passed = 0;
      const fs = watchedFileSystem(({ call }) => {
        passed += 1;
        if (passed >= last && call !== 'closeSync') throw diskError('EIO');
      });
      await accept({ ...otherMachine(team), fs }, text).catch(() => undefined);
      operationsSeen.add(operations().slice(present).join(' '));
      await verifiedByOwner(team);
      await asOwner(team, async (owner) => put(owner, 'db', 'another'));
      await verifiedByOwner(team);
      isDone = passed < last;
    }
    expect([...operationsSeen]).toEqual(expect.arrayContaining(['', 'aborted', 'aborted join']));
  },
);

test('a second one who comes too late leaves a log that verifies', async () => {
  const hers = otherMachine(team);
  const other = otherMachine(team);
  const late = accept(other, text, async () => accept(hers, text));
  expect(await failureOf(late)).toMatchObject({ exitCode: 8 });
  expect(operations()).toContain('join');
  await verifiedByOwner(team);
  await asOwner(team, async (owner) => put(owner, 'db', 'another'));
  await verifiedByOwner(team);
});

describe.skipIf(cannotRecover)(`the second reader: ${recoverTitle}`, () => {
  const read = async (): Promise<unknown> => {
    const { path, audit } = team.place;
    const args = ['--list', '--principal', 'owner', '--recovery', '--audit', audit.path];
    const { status, stderr } = await recover(path, args, team.recoveryKey);
    return [status, stderr];
  };

  test('accepts the log of joins that came to nothing', async () => {
    await killed();
    expect(await read()).toEqual([0, '']);
    await killed();
    await diskFull();
    expect(await read()).toEqual([0, '']);
    await accept(otherMachine(team), text);
    expect(await read()).toEqual([0, '']);
    await asOwner(team, async (owner) => put(owner, 'db', 'another'));
    expect(await read()).toEqual([0, '']);
  });
});

describe('a record that somebody forges', () => {
  /** Change one record, and nothing else: its signature is wrong then, or the next one does not continue it. */
  async function changed(choose: (record: SignedRecord) => boolean): Promise<void> {
    const { path } = team.place.audit;
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    const at = lines.findIndex((line) => choose(JSON.parse(line) as SignedRecord));
    expect(at).toBeGreaterThanOrEqual(0);
    lines[at] = (lines[at] ?? '').replace('"host":"engine"', '"host":"elsewhere"');
    writeFileSync(path, `${lines.join('\n')}\n`);
    expect(await failureOf(verifiedByOwner(team))).toMatchObject({ exitCode: 7 });
  }

  beforeEach(async () => {
    await killed();
    await asOwner(team, async (owner) => put(owner, 'db', 'another'));
    await verifiedByOwner(team);
  });

  test.each(['put', 'access-add', 'aborted', 'join'])('in place of %s is found', async (op) => {
    await changed((record) => record.op === op);
  });

  /** Append records in somebody’s name, rightly chained, and signed with a key that is nobody’s. */
  async function appended(
    ...forged: readonly ((last: SignedRecord) => Partial<SignedRecord>)[]
  ): Promise<void> {
    const { path } = team.place.audit;
    const domain = new Domain(team.vaultId);
    const key = await importSigningKey(systemRandom(32));
    let log = readFileSync(path, 'utf8');
    const owner = records(team.place).findLast(({ op }) => op === 'put');
    for (const change of forged) {
      const raw = log.trimEnd().split('\n').at(-1) ?? '';
      const last = JSON.parse(raw) as SignedRecord;
      const prev = await recordDigest(domain, utf8(raw));
      const { sig: _, ...fields } = { ...(owner ?? last), ...change(last), seq: last.seq + 1, prev };
      log += `${parseUtf8((await makeRecord(domain, key, fields)).raw)}\n`;
    }
    writeFileSync(path, log);
    const error = await failureOf(verifiedByOwner(team));
    expect([error.exitCode, error.message]).toEqual([
      7,
      expect.stringMatching(/its signature is wrong|where a log begins/u),
    ]);
  }

  test.each(['get', 'put', 'aborted', 'log', 'replaced'])('and appends, %s, is found', async (op) => {
    await appended(() => ({ op }));
  });

  test('and appends, a join that somebody says was aborted, is found by who says it', async () => {
    const ada = records(team.place).find(({ op }) => op === 'join')?.principal ?? '';
    await appended(
      () => ({ op: 'join', principal: ada }),
      ({ seq }) => ({ op: 'aborted', detail: String(seq) }),
    );
  });

  test('and appends, a join in the name of somebody who is here, is found', async () => {
    await appended(() => ({ op: 'join' }));
    const owner = records(team.place).at(-1)?.principal;
    expect(
      records(team.place).filter(({ op, principal }) => op === 'join' && principal === owner),
    ).toHaveLength(1);
  });

  test('and appends, what comes before a join and a join, is found', async () => {
    await appended(
      () => ({ op: 'replaced' }),
      () => ({ op: 'join' }),
    );
  });

  test('and appends, something else in the name of who was joining, is found', async () => {
    const ada = records(team.place).find(({ op }) => op === 'join')?.principal ?? '';
    const { path } = team.place.audit;
    const log = readFileSync(path);
    await accept(otherMachine(team), text);
    await verifiedByOwner(team);
    expect(readFileSync(path).length).toBeGreaterThan(log.length);
    await appended(() => ({ op: 'get', principal: ada }));
  });
});
