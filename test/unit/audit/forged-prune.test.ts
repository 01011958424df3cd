/** A log whose start is gone, and which somebody says was pruned: refused, whoever says it, unless the vault itself does. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Identity } from '../../../src/access/bundle.ts';
import { AuditFault } from '../../../src/audit/fault.ts';
import { pruneDetail } from '../../../src/audit/prune.ts';
import { makeRecord, recordDigest } from '../../../src/audit/record.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import { Domain } from '../../../src/crypto/pae.ts';
import type { SignedRecord } from '../../../src/format/audit-record.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { after, oldLog, proved, prune, type OldLog } from '../../support/pruning.ts';
import { asOwner, getIn, otherMachine } from '../../support/team.ts';

let old: OldLog;
let domain: Domain;
let vaultBefore: string;

beforeAll(async () => {
  old = await oldLog();
  domain = new Domain(old.team.vaultId);
});

beforeEach(() => {
  old.reset();
  vaultBefore = path.join(path.dirname(old.team.place.path), 'before');
  copyFileSync(old.team.place.path, vaultBefore);
});

const file = (): string => old.team.place.audit.path;
const linesNow = (): string[] => readFileSync(file(), 'utf8').trimEnd().split('\n');
const write = (lines: readonly string[]): void => writeFileSync(file(), `${lines.join('\n')}\n`);
const bytes = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text));
const digestOf = async (line: string): Promise<string> => recordDigest(domain, bytes(line));

const blank = {
  ok: true,
  code: '',
  environment: '',
  secrets: [],
  context: { user: 'u', host: 'h', address: '', program: 'p', session: '' },
  source: 'file',
  from: '',
  to: '',
};

async function signed(
  signer: Identity,
  fields: Pick<SignedRecord, 'log' | 'seq' | 'op' | 'detail' | 'header' | 'prev'> & Partial<SignedRecord>,
): Promise<string> {
  const time = '2026-01-01T00:00:00.000Z';
  const { log, seq, op, detail, header, prev, from = '', to = '' } = fields;
  const { ok, code, environment, secrets, context, source } = blank;
  const { principal } = signer;
  const record = await makeRecord(domain, signer.signing, {
    log,
    seq,
    time,
    op,
    ok,
    code,
    principal,
    environment,
    secrets,
    context,
    source,
    detail,
    header,
    from,
    to,
    prev,
  });
  return Buffer.from(record.raw).toString('utf8');
}

interface Forged {
  /** By whom the summary is, and when they say that they made it. */
  readonly by: Identity;
  readonly header: number;
  readonly count?: number;
  /** What the summary says in the place of what is right. */
  readonly other?: Parameters<typeof pruneDetail>[0];
  /** Whether its principal records it. */
  readonly recorded?: boolean;
}

/** Take the first records away, and put a summary in their place; all that has to be signed by others stays as it is. */
async function forge({ by, header, count = 10, other, recorded = true }: Forged): Promise<void> {
  const lines = linesNow();
  const { log } = records(old.team.place)[0] ?? { log: '' };
  const gone = lines.slice(0, count);
  const right = {
    first: 1,
    last: count,
    count,
    digest: await digestOf(gone.at(-1) ?? ''),
    sha256: encodeBase64url(await sha256(bytes(gone.map((line) => `${line}\n`).join('')))),
  };
  const detail = pruneDetail(right);
  const summary = await signed(by, {
    log,
    seq: count,
    op: 'prune',
    header,
    prev: '',
    detail: other === undefined ? detail : pruneDetail({ ...right, ...other }),
  });
  const kept = lines.slice(count);
  if (recorded) {
    const [seq, prev] = [lines.length + 1, await digestOf(lines.at(-1) ?? '')];
    const { from = '' } = records(old.team.place).at(-1) ?? {};
    kept.push(await signed(by, { log, seq, op: 'audit-prune', header, prev, detail, from, to: from }));
  }
  write([summary, ...kept]);
}

/** On a machine that remembers nothing, where it is hardest to notice. */
async function refusal(): Promise<AuditFault> {
  const error = await failureOf(proved({ ...old.team, place: otherMachine(old.team) }, { known: null }));
  expect(error.exitCode).toBe(7);
  if (!(error instanceof AuditFault)) throw error;
  return error;
}

const signer = (name: string): Identity => {
  const found = old.signers.get(name);
  if (found === undefined) throw new Error(`no signer ${name}`);
  return found;
};

describe('a summary by', () => {
  test.each(['bob', 'ada'])('%s, who is no administrator', async (name) => {
    await forge({ by: signer(name), header: 9 });
    expect((await refusal()).fault).toMatchObject({ kind: 'changed', line: 1, sequence: 10 });
  });

  test.each([5, 6, 8])(
    'a former administrator, as if of the time of header %d, with a record of it at the end',
    async (header) => {
      await forge({ by: old.former, header });
      expect((await refusal()).fault).toMatchObject({ kind: 'removed', line: 1, sequence: 10 });
      // Whatever others do afterwards.
      await asOwner(old.team, async (owner) => getIn(owner, 'staging', 'db')).catch(() => undefined);
      expect((await refusal()).fault).toMatchObject({ kind: 'removed', line: 1, sequence: 10 });
    },
  );

  test('a former administrator, of a time after theirs', async () => {
    await forge({ by: old.former, header: 9 });
    expect((await refusal()).fault).toMatchObject({ kind: 'changed', line: 1 });
  });

  test('an administrator who has not written it into the vault', async () => {
    await forge({ by: signer('owner'), header: 9 });
    expect((await refusal()).fault).toMatchObject({ kind: 'removed', line: 1, sequence: 10 });
  });

  test('an administrator who has not recorded it', async () => {
    await forge({ by: signer('owner'), header: 9, recorded: false });
    expect((await refusal()).message).toContain('has recorded');
  });
});

describe('a log that was pruned, and then', () => {
  beforeEach(async () => {
    await asOwner(old.team, async (owner) => prune(owner, { before: after(old.team.place, 10) }));
  });

  const summary = (): SignedRecord => JSON.parse(linesNow()[0] ?? '') as SignedRecord;
  const again = async (detail: string): Promise<void> => {
    const { log, seq, op, header, prev } = summary();
    write([await signed(signer('owner'), { log, seq, op, header, prev, detail }), ...linesNow().slice(1)]);
  };

  test('is left alone, holds', async () => {
    const place = otherMachine(old.team);
    expect(await proved({ ...old.team, place }, { known: null })).toMatchObject({ pruned: 10 });
  });

  test('its summary was edited', async () => {
    const [first = '', ...rest] = linesNow();
    write([first.replace('1 10 10 ', '2 10 9 '), ...rest]);
    expect((await refusal()).fault).toMatchObject({ kind: 'changed', line: 1 });
  });

  test.each([
    ['another first number', (detail: string) => detail.replace('1 10 10 ', '2 10 9 '), 'recorded'],
    ['a count that does not add up', (detail: string) => detail.replace('1 10 10 ', '1 10 9 '), 'no summary'],
    ['another last number', (detail: string) => detail.replace('1 10 10 ', '1 11 11 '), 'no summary'],
    ['no numbers', () => 'nothing', 'no summary'],
    ['another digest', (detail: string) => detail.replace(/(\S{43}) \S{43}$/u, `${'A'.repeat(43)} $1`), ''],
  ])('its summary was signed again with %s', async (_, change, says) => {
    await again(change(summary().detail));
    const { fault, message } = await refusal();
    expect(message).toContain(says);
    expect([1, 2]).toContain(fault.line);
  });

  test('more was removed after its summary', async () => {
    write(linesNow().toSpliced(1, 3));
    expect((await refusal()).fault).toMatchObject({ kind: 'removed', line: 2, sequence: 14 });
  });

  test('its summary was moved, or stands there twice', async () => {
    const [first = '', second = '', ...rest] = linesNow();
    write([second, first, ...rest]);
    expect((await refusal()).fault).toMatchObject({ line: 1 });
    write([first, first, second, ...rest]);
    expect((await refusal()).fault).toMatchObject({ line: 2 });
  });

  test('its summary was removed', async () => {
    write(linesNow().slice(1));
    expect((await refusal()).fault).toMatchObject({ kind: 'removed', line: 1, sequence: 11 });
  });

  test('the vault of before was put back', async () => {
    copyFileSync(vaultBefore, old.team.place.path);
    expect((await refusal()).fault).toMatchObject({ kind: 'removed', line: 1, sequence: 10 });
  });

  test('the vault of before, and the log without the record of it', async () => {
    copyFileSync(vaultBefore, old.team.place.path);
    write(linesNow().slice(0, -1));
    expect((await refusal()).fault).toMatchObject({ kind: 'removed', line: 1, sequence: 10 });
  });

  test('was pruned again, and the first summary put back: with what it stood for gone, and with all of it', async () => {
    const earlier = linesNow();
    await asOwner(old.team, async (owner) => prune(owner, { before: after(old.team.place, 5) }));
    const [, ...kept] = linesNow();
    write([earlier[0] ?? '', ...kept]);
    expect((await refusal()).fault).toMatchObject({ kind: 'removed', line: 2, sequence: 16 });
    // Nothing is missing then but what the first summary stands for.
    write([...earlier, ...kept.slice(earlier.length - 6)]);
    const place = otherMachine(old.team);
    expect(await proved({ ...old.team, place }, { known: null })).toMatchObject({ pruned: 10 });
  });

  test('the summary stands before the log of another place', async () => {
    const [first = ''] = linesNow();
    write([first, ...old.ofAnotherPlace.map((line) => line.toString('utf8').trimEnd())]);
    expect((await refusal()).fault).toMatchObject({ kind: 'inserted', line: 2 });
  });
});
