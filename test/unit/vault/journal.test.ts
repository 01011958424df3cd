/** Recovery of what a killed process left: every row of the table of docs/format.md section 10. */
import { appendFileSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { Authority } from '../../../src/access/authority.ts';
import { openLogReader } from '../../../src/storage/log-file.ts';
import { linesForward } from '../../../src/storage/log-lines.ts';
import { verifyChain } from '../../../src/audit/chain.ts';
import type { SignedRecord } from '../../../src/format/audit-record.ts';
import { VaultDocument } from '../../../src/format/document.ts';
import { realFileSystem, type FileSystem } from '../../../src/storage/file-system.ts';
import { openVaultFile, temporaryPath } from '../../../src/storage/vault-file.ts';
import { Journal } from '../../../src/vault/journal.ts';
import { openMemory } from '../../../src/vault/memory.ts';
import { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import {
  get,
  makeVault,
  open,
  placeIn,
  put,
  withVault,
  type SampleVault,
} from '../../support/sample-vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { dyingAt, watchedFileSystem, type Step } from '../../support/watched-file-system.ts';

type Record_ = Partial<SignedRecord> & { readonly seq: number; readonly op: string };

let folder: string;
let sample: SampleVault;

beforeEach(async () => {
  folder = temporaryFolder();
  sample = await makeVault(placeIn(folder, { stateFolder: path.join(folder, 'state') }));
  await withVault(sample, async (vault) => put(vault, 'a', 'old'));
});

function records(of: SampleVault = sample): Record_[] {
  const lines = readFileSync(of.place.audit.path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record_);
}

const head = (of: SampleVault = sample): string => {
  const lines = readFileSync(of.place.path, 'utf8').trimEnd().split('\n');
  return (JSON.parse(lines.at(-1) ?? '') as { head: string }).head;
};

const onFileSystem = (fs: FileSystem, of: SampleVault = sample): SampleVault => ({
  ...of,
  place: { ...of.place, fs },
});

/** Put a value with a file system that dies at a step; what it wrote until then is on the disk. */
async function putAndDie(aim: (step: Step) => boolean, of: SampleVault = sample): Promise<void> {
  const vault = await open(onFileSystem(dyingAt(aim), of));
  await failureOf(put(vault, 'a', 'new'));
  vault.close();
}

const beforeRename = ({ call, path: at }: Step): boolean =>
  call === 'renameSync' && at.endsWith('.vault.new');
const beforeFolderFlush =
  (vaultFolder: string) =>
  (step: Step): boolean =>
    step.call === 'fsyncSync' && step.path === vaultFolder;

const read = async (of: SampleVault = sample): Promise<string> =>
  withVault(of, async (vault) => get(vault, 'a'));

/** The whole log holds, by the product's own verifier. */
async function expectWholeLog(of: SampleVault = sample): Promise<void> {
  const file = openVaultFile(realFileSystem, of.place.path);
  const authority = await Authority.of(new VaultDocument(file));
  file.close();
  const log = openLogReader(realFileSystem, of.place.audit.path);
  if (log === null) throw new Error('no log');
  const report = await verifyChain(authority, [linesForward(log)]);
  log.close();
  expect(report.records).toBe(records(of).length);
}

describe('the file is at `to`', () => {
  test('it happened: the folder is flushed, nothing is added but what comes next', async () => {
    await putAndDie(beforeFolderFlush(folder));
    const open_ = records().at(-1);
    expect(open_).toMatchObject({ op: 'put', ok: true, to: head() });
    const flushed: string[] = [];
    const fs = watchedFileSystem(({ call, path: at }) => {
      if (call === 'fsyncSync') flushed.push(at);
    });
    expect(await read(onFileSystem(fs))).toBe('new');
    expect(flushed).toContain(folder);
    expect(records().slice(open_?.seq)).toMatchObject([{ op: 'get', ok: true, from: head() }]);
    await expectWholeLog();
  });

  test('and remembered: an older file is a rollback from now on', async () => {
    copyFileSync(sample.place.path, path.join(folder, 'old'));
    await putAndDie(beforeFolderFlush(folder));
    await read();
    copyFileSync(path.join(folder, 'old'), sample.place.path);
    expect((await failureOf(open(sample))).code).toBe('ROLLBACK');
  });

  test('the ordinary case needs no flush', async () => {
    const flushed: string[] = [];
    const fs = watchedFileSystem(({ call, path: at }) => {
      if (call === 'fsyncSync') flushed.push(at);
    });
    await read(onFileSystem(fs));
    expect(flushed).not.toContain(folder);
  });
});

describe('the file is at `from`', () => {
  test('and `to` is not remembered: it did not happen; the temporary file goes', async () => {
    await putAndDie(beforeRename);
    const failed = records().at(-1);
    expect(failed).toMatchObject({ op: 'put', from: head() });
    expect(existsSync(temporaryPath(sample.place.path))).toBe(true);
    expect(await read()).toBe('old');
    expect(existsSync(temporaryPath(sample.place.path))).toBe(false);
    expect(records().slice(failed?.seq)).toMatchObject([
      { op: 'aborted', ok: true, detail: String(failed?.seq), from: failed?.from, to: '' },
      { op: 'get', ok: true },
    ]);
    await expectWholeLog();
  });

  test('it is said once, and the next write works', async () => {
    await putAndDie(beforeRename);
    await read();
    await withVault(sample, async (vault) => put(vault, 'a', 'newer'));
    expect(await read()).toBe('newer');
    expect(records().filter(({ op }) => op === 'aborted')).toHaveLength(1);
    await expectWholeLog();
  });

  test('also where a failed unlock came in between', async () => {
    await putAndDie(beforeRename);
    const failed = records().at(-1);
    const wrong = async (attempt: number) =>
      Promise.resolve(attempt > 1 ? null : ({ type: 'recovery', secret: new Uint8Array(32) } as const));
    expect(
      (await failureOf(Vault.open(sample.place, { principal: null, credentials: wrong }))).exitCode,
    ).toBe(4);
    expect(await read()).toBe('old');
    expect(records().slice(failed?.seq)).toMatchObject([
      { op: 'unlock', ok: false },
      { op: 'aborted', detail: String(failed?.seq) },
      { op: 'get' },
    ]);
    await expectWholeLog();
  });

  test('and `to` is remembered: a rollback, by the memory of the vault', async () => {
    copyFileSync(sample.place.path, path.join(folder, 'old'));
    await withVault(sample, async (vault) => put(vault, 'a', 'new'));
    copyFileSync(path.join(folder, 'old'), sample.place.path);
    const error = await failureOf(read());
    expect({ code: error.code, exit: error.exitCode }).toEqual({ code: 'ROLLBACK', exit: 7 });
    expect(records().at(-1)).toMatchObject({ op: 'put' });
  });

  test('and `to` is remembered: a rollback, by the journal itself', async () => {
    copyFileSync(sample.place.path, path.join(folder, 'old'));
    await withVault(sample, async (vault) => put(vault, 'a', 'new'));
    const memory = await openMemory(sample.place);
    copyFileSync(path.join(folder, 'old'), sample.place.path);
    const file = openVaultFile(realFileSystem, sample.place.path);
    const document = new VaultDocument(file);
    const authority = await Authority.of(document);
    const { identity } = await open({ ...sample, place: { ...sample.place, stateFolder: null } });
    const error = await failureOf(Journal.open(sample.place, memory, document, authority, identity));
    expect(error.code).toBe('ROLLBACK');
    expect(error.message).toContain('made a newer vault');
    file.close();
  });
});

describe('the file is at neither', () => {
  /** The vault as it is now, with somebody else's log, and memory of its own. */
  function elsewhere(): SampleVault {
    const other = temporaryFolder();
    const place = placeIn(other);
    copyFileSync(sample.place.path, place.path);
    return { ...sample, place };
  }

  const bringBack = (of: SampleVault): void => copyFileSync(of.place.path, sample.place.path);

  test('and names the record: it happened, and the vault was replaced from outside', async () => {
    const other = elsewhere();
    await withVault(other, async (vault) => put(vault, 'a', 'theirs'));
    bringBack(other);
    const last = records().at(-1);
    expect(last).toMatchObject({ op: 'put' });
    expect(await read()).toBe('theirs');
    expect(records().slice(last?.seq)).toMatchObject([
      { op: 'replaced', ok: true, detail: '', from: head(), to: '' },
      { op: 'get', ok: true, from: head() },
    ]);
    await expectWholeLog();
  });

  test('and does not name it: aborted, then replaced', async () => {
    const other = elsewhere();
    await withVault(other, async (vault) => put(vault, 'a', 'theirs'));
    await putAndDie(beforeRename);
    const failed = records().at(-1);
    bringBack(other);
    expect(await read()).toBe('theirs');
    expect(records().slice(failed?.seq)).toMatchObject([
      { op: 'aborted', detail: String(failed?.seq), from: failed?.from, to: '' },
      { op: 'replaced', from: head() },
      { op: 'get' },
    ]);
    await expectWholeLog();
  });

  test('straight after `init`, whose record has no `from`', async () => {
    const here = await makeVault(placeIn(temporaryFolder()));
    const there = { ...here, place: placeIn(temporaryFolder()) };
    copyFileSync(here.place.path, there.place.path);
    await withVault(there, async (vault) => put(vault, 'a', 'theirs'));
    copyFileSync(there.place.path, here.place.path);
    expect(await read(here)).toBe('theirs');
    expect(records(here).map(({ op }) => op)).toEqual(['log', 'init', 'replaced', 'get']);
  });

  test('it is said once', async () => {
    const other = elsewhere();
    await withVault(other, async (vault) => put(vault, 'a', 'theirs'));
    bringBack(other);
    await read();
    await read();
    expect(records().filter(({ op }) => op === 'replaced')).toHaveLength(1);
  });

  test('and a counter fell: a rollback, nothing is added', async () => {
    const other = elsewhere();
    await withVault(other, async (vault) => put(vault, 'b', 'x', { environment: 'production' }));
    await withVault(sample, async (vault) => put(vault, 'a', 'new'));
    bringBack(other);
    const before = records().length;
    expect((await failureOf(read())).code).toBe('ROLLBACK');
    expect(records()).toHaveLength(before);
  });
});

describe('without `to`', () => {
  test('a read, and the file is another: replaced from outside', async () => {
    await read();
    const last = records().at(-1);
    expect(last).toMatchObject({ op: 'get', to: '' });
    const other: SampleVault = { ...sample, place: placeIn(temporaryFolder()) };
    copyFileSync(sample.place.path, other.place.path);
    await withVault(other, async (vault) => put(vault, 'a', 'theirs'));
    copyFileSync(other.place.path, sample.place.path);
    expect(await read()).toBe('theirs');
    expect(records().slice(last?.seq)).toMatchObject([{ op: 'replaced', from: head() }, { op: 'get' }]);
    await expectWholeLog();
  });

  test('a read, and the file is the same: nothing', async () => {
    await read();
    await read();
    expect(records().map(({ op }) => op)).toEqual(['log', 'init', 'put', 'get', 'get']);
  });
});

describe('an unfinished last line', () => {
  test('is cut, and the cut is recorded', async () => {
    const before = records().length;
    const text = readFileSync(sample.place.audit.path);
    writeFileSync(sample.place.audit.path, Buffer.concat([text, Buffer.from('{"log":"half a rec')]));
    expect(await read()).toBe('old');
    expect(records().slice(before)).toMatchObject([{ op: 'torn', ok: true, detail: '18' }, { op: 'get' }]);
    await expectWholeLog();
  });

  test('after a write that was killed: that it did not happen is recorded all the same', async () => {
    await putAndDie(beforeRename);
    const failed = records().at(-1);
    appendFileSync(sample.place.audit.path, '{"log":"half a rec');
    expect(await read()).toBe('old');
    expect(records().slice(failed?.seq)).toMatchObject([
      { op: 'torn', detail: '18' },
      { op: 'aborted', detail: String(failed?.seq), from: failed?.from, to: '' },
      { op: 'get' },
    ]);
    await expectWholeLog();
  });

  test('of a write: the write did not happen, because its record came first', async () => {
    const dying = dyingAt(({ call, path: at }) => call === 'fsyncSync' && at === sample.place.audit.path);
    const vault = await open(onFileSystem(dying));
    expect((await failureOf(put(vault, 'a', 'new'))).exitCode).toBe(10);
    vault.close();
    expect(await read()).toBe('old');
    await expectWholeLog();
  });
});

describe('a record that cannot be written', () => {
  const fullLog = (): FileSystem =>
    watchedFileSystem(({ call, path: at }) => {
      if (call === 'writeSync' && at === sample.place.audit.path) {
        throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      }
    });

  test('means that nothing is changed', async () => {
    const before = readFileSync(sample.place.path);
    const vault = await open(onFileSystem(fullLog()));
    expect((await failureOf(put(vault, 'a', 'new'))).code).toBe('AUDIT');
    vault.close();
    expect(readFileSync(sample.place.path)).toEqual(before);
  });

  test('means that nothing is read', async () => {
    const vault = await open(onFileSystem(fullLog()));
    expect((await failureOf(get(vault, 'a'))).code).toBe('AUDIT');
    vault.close();
  });
});

test('a write that fails on disk is aborted at once, by the writer itself', async () => {
  const full = watchedFileSystem(({ call, path: at }) => {
    if (call === 'fsyncSync' && at.endsWith('.vault.new'))
      throw Object.assign(new Error('full'), { code: 'ENOSPC' });
  });
  const vault = await open(onFileSystem(full));
  const error = await failureOf(put(vault, 'a', 'new'));
  expect(error.code).toBe('BACKEND');
  vault.close();
  const [failed, aborted] = records().slice(-2);
  expect(failed).toMatchObject({ op: 'put', from: head() });
  expect(aborted).toMatchObject({ op: 'aborted', detail: String(failed?.seq), from: head(), to: '' });
  expect(await read()).toBe('old');
  await expectWholeLog();
});

test('killed before any step of a write: the old value or the new one, and a log that holds', async () => {
  let steps = 0;
  let inWrite = false;
  const counting = await open(
    onFileSystem(
      watchedFileSystem(() => {
        if (inWrite) steps += 1;
      }),
    ),
  );
  inWrite = true;
  await put(counting, 'a', 'old');
  counting.close();
  expect(steps).toBeGreaterThan(15);
  const outcomes = new Set<string>();
  for (let at = 1; at <= steps; at++) {
    let passed = 0;
    let armed = false;
    const vault = await open(
      onFileSystem(
        dyingAt(() => {
          if (armed) passed += 1;
          return passed >= at;
        }),
      ),
    );
    armed = true;
    const outcome = await put(vault, 'a', `new ${at}`).then(
      () => 'done',
      () => 'failed',
    );
    vault.close();
    const value = await read();
    outcomes.add(`${outcome}: ${value === `new ${at}` ? 'new' : 'old'}`);
    await expectWholeLog();
  }
  expect(outcomes).toContain('failed: old');
  expect(outcomes).toContain('failed: new');
  // What was acknowledged is there.
  expect(outcomes).not.toContain('done: old');
});
