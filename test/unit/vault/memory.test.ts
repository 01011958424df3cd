/** What a machine remembers, held against what it finds. docs/format.md section 6. */
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Place } from '../../../src/vault/place.ts';
import { failureOf } from '../../support/failure.ts';
import { addPrincipal, Forgery } from '../../support/forgery.ts';
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

let folder: string;
let sample: SampleVault;

beforeEach(async () => {
  folder = temporaryFolder();
  sample = await makeVault(placeIn(folder, { stateFolder: path.join(folder, 'state') }));
});

/** The same vault for a machine that has never seen it: its own log, no memory. */
function elsewhere(): SampleVault {
  const other = temporaryFolder();
  const place = placeIn(other);
  copyFileSync(sample.place.path, place.path);
  return { ...sample, place };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await failureOf(work);
  expect(error.exitCode).toBe(7);
  return error.code;
}

const copyAt = (name: string): string => path.join(folder, name);

test('a vault that went on is fine, at this place and elsewhere', async () => {
  await withVault(sample, async (vault) => put(vault, 'a', 'one'));
  const other = elsewhere();
  await withVault(other, async (vault) => put(vault, 'a', 'two'));
  copyFileSync(other.place.path, sample.place.path);
  expect(await withVault(sample, async (vault) => get(vault, 'a'))).toBe('two');
});

describe('a rollback is refused', () => {
  test('to the state before the last write', async () => {
    await withVault(sample, async (vault) => put(vault, 'a', 'one'));
    copyFileSync(sample.place.path, copyAt('old'));
    await withVault(sample, async (vault) => put(vault, 'a', 'two'));
    copyFileSync(copyAt('old'), sample.place.path);
    expect(await codeOf(open(sample))).toBe('ROLLBACK');
  });

  test('to the very first state', async () => {
    copyFileSync(sample.place.path, copyAt('old'));
    await withVault(sample, async (vault) => put(vault, 'a', 'one'));
    copyFileSync(copyAt('old'), sample.place.path);
    expect(await codeOf(open(sample))).toBe('ROLLBACK');
  });

  test('that another machine made newer again: lower in what it did not touch', async () => {
    const old = elsewhere();
    await withVault(sample, async (vault) => put(vault, 'a', 'one', { environment: 'development' }));
    for (const value of ['1', '2', '3']) {
      await withVault(old, async (vault) => put(vault, 'b', value, { environment: 'production' }));
    }
    copyFileSync(old.place.path, sample.place.path);
    expect(await codeOf(open(sample))).toBe('ROLLBACK');
  });

  test('while the vault is open, at the next read and the next write', async () => {
    await withVault(sample, async (vault) => put(vault, 'a', 'one'));
    copyFileSync(sample.place.path, copyAt('old'));
    const vault = await open(sample);
    await put(vault, 'a', 'two');
    copyFileSync(copyAt('old'), sample.place.path);
    expect(await codeOf(get(vault, 'a'))).toBe('ROLLBACK');
    expect(await codeOf(put(vault, 'a', 'three'))).toBe('ROLLBACK');
    vault.close();
    expect(readFileSync(sample.place.path)).toEqual(readFileSync(copyAt('old')));
  });

  test('of the generation alone, over the same head', async () => {
    await withVault(sample, async (vault) => put(vault, 'a', 'one'));
    const vault = await open(sample);
    const forgery = Forgery.read(sample.place.path);
    forgery.snapshot.n = 0;
    await forgery.write(sample.place.path, vault.identity);
    vault.close();
    expect(await codeOf(open(sample))).toBe('ROLLBACK');
  });

  test('of one’s own bundle alone, by somebody who may sign the snapshot', async () => {
    const admin = await open({ ...sample, place: { ...sample.place, stateFolder: null } });
    const forgery = Forgery.read(sample.place.path);
    const insider = await addPrincipal(forgery, admin, { name: 'mallory', list: ['development'] });
    admin.close();
    await forgery.write(sample.place.path, admin.identity);
    const [old] = Forgery.read(sample.place.path).all('bundle');
    // The first write after a new header moves the pins of the writer: a newer bundle, which this machine remembers.
    await withVault(sample, async (vault) => put(vault, 'a', 'one'));
    const newer = Forgery.read(sample.place.path);
    const [present] = newer.all('bundle');
    expect([old?.n, present?.n, old?.by]).toEqual([1, 2, present?.by]);
    Object.assign(present ?? {}, old);
    await newer.write(sample.place.path, insider);
    expect(await codeOf(open(sample))).toBe('ROLLBACK');
  });
});

describe('two histories are refused', () => {
  test('the same part, of the same number, another way', async () => {
    const other = elsewhere();
    await withVault(sample, async (vault) => put(vault, 'a', 'here'));
    await withVault(other, async (vault) => put(vault, 'a', 'there'));
    copyFileSync(other.place.path, sample.place.path);
    const error = await failureOf(open(sample));
    expect(error.code).toBe('ROLLBACK');
    expect(error.message).toContain('two histories');
  });

  test('a header of the same number, another way', async () => {
    const other = elsewhere();
    const change = async (of: SampleVault, value: string): Promise<void> => {
      const place: Place = { ...of.place, stateFolder: null };
      const admin = await open({ ...of, place });
      const forgery = Forgery.read(place.path);
      forgery.one('header').policy.push(['retention.versions', value]);
      await forgery.signHeader(admin.identity);
      await forgery.write(place.path, admin.identity);
      admin.close();
    };
    await change(sample, '5');
    await withVault(sample, async (vault) => put(vault, 'a', 'one'));
    await change(other, '6');
    await withVault(other, async (vault) => put(vault, 'b', 'x'));
    await withVault(other, async (vault) => put(vault, 'b', 'y'));
    copyFileSync(other.place.path, sample.place.path);
    expect((await failureOf(open(sample))).message).toContain('two histories');
  });
});

describe('another vault is refused', () => {
  test('one with the same passphrase, at the same place', async () => {
    const otherFolder = temporaryFolder();
    const other = await makeVault(placeIn(otherFolder));
    copyFileSync(other.place.path, sample.place.path);
    const error = await failureOf(open({ ...other, place: sample.place }));
    expect({ code: error.code, exit: error.exitCode }).toEqual({ code: 'INTEGRITY', exit: 7 });
  });

  test('before any credential is asked for', async () => {
    const other = await makeVault(placeIn(temporaryFolder()));
    copyFileSync(other.place.path, sample.place.path);
    const { Vault } = await import('../../../src/vault/vault.ts');
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      return Promise.resolve(null);
    };
    await failureOf(Vault.open(sample.place, { principal: null, credentials }));
    expect(asked).toBe(0);
  });
});

describe('the log is held against what is remembered', () => {
  beforeEach(async () => {
    await withVault(sample, async (vault) => put(vault, 'a', 'one'));
  });

  const readOnce = async (): Promise<unknown> => withVault(sample, async (vault) => get(vault, 'a'));

  test('gone', async () => {
    rmSync(sample.place.audit.path);
    expect(await codeOf(readOnce())).toBe('INTEGRITY');
    expect(readdirSync(folder)).not.toContain(path.basename(sample.place.audit.path));
  });

  test('empty', async () => {
    writeFileSync(sample.place.audit.path, '');
    expect(await codeOf(readOnce())).toBe('INTEGRITY');
  });

  test('cut at its end', async () => {
    const lines = readFileSync(sample.place.audit.path, 'utf8').split('\n');
    writeFileSync(sample.place.audit.path, lines.slice(0, -2).join('\n').concat('\n'));
    const error = await failureOf(readOnce());
    expect(error.exitCode).toBe(7);
    expect(error.message).toContain('was cut');
  });

  test('with a changed last record', async () => {
    const text = readFileSync(sample.place.audit.path, 'utf8');
    const at = text.lastIndexOf('"host":"engine"');
    writeFileSync(sample.place.audit.path, `${text.slice(0, at)}"host":"motors"${text.slice(at + 15)}`);
    expect(await codeOf(readOnce())).toBe('INTEGRITY');
  });

  test('the log of another vault', async () => {
    const other = await makeVault(placeIn(temporaryFolder()));
    copyFileSync(other.place.audit.path, sample.place.audit.path);
    expect(await codeOf(readOnce())).toBe('INTEGRITY');
  });

  test('cut to what an unsigned record followed, with that record put in', async () => {
    // A failed unlock needs no signature: the chain is what holds it in place.
    const lines = readFileSync(sample.place.audit.path, 'utf8').trimEnd().split('\n');
    const last = JSON.parse(lines.at(-1) ?? '') as { log: string; seq: number; time: string; prev: string };
    const { log, seq, time, prev } = last;
    const fake = JSON.stringify({ log, seq, time, op: 'unlock', ok: false, count: 1, prev });
    writeFileSync(sample.place.audit.path, `${[...lines.slice(0, -1), fake].join('\n')}\n`);
    expect(await codeOf(readOnce())).toBe('INTEGRITY');
  });
});

describe('without memory', () => {
  test('the log is held against what the snapshot names, by its last record but one', async () => {
    const place = placeIn(temporaryFolder());
    const forgetful = await makeVault(place);
    await withVault(forgetful, async (vault) => put(vault, 'a', 'one'));
    const lines = readFileSync(place.audit.path, 'utf8').split('\n');
    writeFileSync(place.audit.path, `${lines.slice(0, -2).join('\n')}\n`);
    const error = await failureOf(withVault(forgetful, async (vault) => get(vault, 'a')));
    expect(error.exitCode).toBe(7);
    expect(error.message).toContain('was cut');
  });

  test('a memory that cannot be written is no obstacle', async () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    const place = placeIn(temporaryFolder());
    const made = await makeVault(place);
    const blind = { ...made, place: { ...place, stateFolder: null } };
    await withVault(blind, async (vault) => put(vault, 'a', 'one'));
    expect(await withVault(blind, async (vault) => get(vault, 'a'))).toBe('one');
  });
});
