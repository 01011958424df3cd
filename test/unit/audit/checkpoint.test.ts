/** Checkpoints: a signed word on where vault and log stand, kept elsewhere. docs/format.md section 9, "Checkpoint". */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { AuditFault } from '../../../src/audit/fault.ts';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import { Domain } from '../../../src/crypto/pae.ts';
import { importSigningKey, type SigningKey } from '../../../src/crypto/signature.ts';
import { signLine } from '../../../src/access/signing.ts';
import { checkpointLine, type Checkpoint } from '../../../src/format/checkpoint.ts';
import { checkpoint } from '../../../src/vault/operations/audit-proof.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { proved } from '../../support/pruning.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, otherMachine, reissue, remove, teamVault } from '../../support/team.ts';

let team: SampleVault;
let text: string;
let tokens: Record<'ada' | 'bob', string>;

const make = async (of = team): Promise<string> => asOwner(of, async (owner) => checkpoint(owner));
const value = (of: string): Checkpoint => JSON.parse(of) as Checkpoint;

beforeEach(async () => {
  team = await teamVault(['staging']);
  tokens = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one');
    const ada = await add(owner, 'ada', { can: 'read', env: 'staging' });
    return { ada, bob: await add(owner, 'bob', { can: 'read', env: 'staging' }) };
  });
  text = await make();
});

/** Hold vault and log against checkpoints, on a machine that remembers nothing. */
async function against(...all: readonly string[]): Promise<unknown> {
  const checkpoints = all.map((one) => Uint8Array.from(Buffer.from(one.replace(/\n$/u, ''))));
  return proved({ ...team, place: otherMachine(team) }, { known: null, checkpoints });
}

const refusal = async (...all: readonly string[]) => failureOf(against(...all));

describe('a checkpoint', () => {
  test('is one line, and names the record that says that it was made', () => {
    expect(text).toMatch(/^[^\n]+\n$/u);
    const last = records(team.place).at(-1);
    expect(last).toMatchObject({
      op: 'audit-checkpoint',
      ok: true,
      seq: value(text).seq,
      log: value(text).log,
    });
    const snapshot = JSON.parse(readFileSync(team.place.path, 'utf8').trimEnd().split('\n').at(-1) ?? '') as {
      n: number;
      head: string;
    };
    expect(value(text)).toMatchObject({
      kind: 'checkpoint',
      vault: team.vaultId,
      generation: snapshot.n,
      head: snapshot.head,
    });
  });

  test('holds at once, and when vault and log have gone on', async () => {
    expect(await against(text)).toMatchObject({ checkpoints: 1 });
    await asOwner(team, async (owner) => {
      await getIn(owner, 'staging', 'db');
      await put(owner, 'db', 'two');
    });
    expect(await against(text)).toMatchObject({ checkpoints: 1 });
  });

  test('holds with others: each is held against the log', async () => {
    await asOwner(team, async (owner) => put(owner, 'db', 'two'));
    const next = await make();
    expect(await against(text, next)).toMatchObject({ checkpoints: 2 });
    const broken = next.replace('"generation":', '"generation":1');
    expect((await refusal(text, broken)).exitCode).toBe(7);
  });

  test('of whoever can open the vault, holds when they have new keys, and when they are gone', async () => {
    const hers = await as(team.place, tokens.ada, async (ada) => checkpoint(ada));
    const his = await as(team.place, tokens.bob, async (bob) => checkpoint(bob));
    await asOwner(team, async (owner) => {
      await reissue(owner, 'ada');
      await remove(owner, 'bob');
    });
    expect(await against(hers, his)).toMatchObject({ checkpoints: 2 });
  });
});

describe('what is refused', () => {
  test('that of another vault', async () => {
    const other = await teamVault(['staging']);
    const error = await refusal(await make(other));
    expect([error.exitCode, error.message]).toEqual([7, 'the checkpoint is of another vault']);
  });

  test('one in which any member is another one', async () => {
    const present = value(text);
    const others: Partial<Record<keyof Checkpoint, unknown>> = {
      vault: `${'B'.repeat(21)}A`,
      generation: present.generation - 1,
      head: encodeBase64url(new Uint8Array(32)),
      log: `${'B'.repeat(21)}A`,
      seq: present.seq - 1,
      digest: encodeBase64url(new Uint8Array(32)),
      time: '2001-01-01T00:00:00.000Z',
      by: `${'B'.repeat(10)}A`,
      header: present.header + 1,
      sig: encodeBase64url(new Uint8Array(64)),
    };
    const members = Object.keys(present).filter((member) => member !== 'kind');
    expect(Object.keys(others).sort()).toEqual([...members].sort());
    for (const [member, other] of Object.entries(others)) {
      const error = await refusal(JSON.stringify({ ...present, [member]: other }));
      expect([member, error.exitCode]).toEqual([member, 7]);
    }
  });

  test('what is no checkpoint, or has a second spelling', async () => {
    const last = readFileSync(team.place.audit.path, 'utf8').trimEnd().split('\n').at(-1) ?? '';
    const spelled = text.replace('"seq":', '"seq": ');
    for (const one of [
      'nonsense',
      '{}',
      last,
      spelled,
      `${text.trimEnd()}\r`,
      text.replace(',"sig"', ',"x":1,"sig"'),
    ])
      expect([one.slice(0, 20), (await refusal(one)).exitCode]).toEqual([one.slice(0, 20), 7]);
  });

  /** A checkpoint as this key would make it. */
  async function signedBy(key: SigningKey, changes: Partial<Checkpoint>): Promise<string> {
    const { sig: _, ...rest } = { ...value(text), ...changes };
    const line = await signLine(new Domain(team.vaultId), key, rest, checkpointLine, 'checkpoint');
    return Buffer.from(line.raw).toString('utf8');
  }

  test('one that is signed by nobody whom the vault knows', async () => {
    const key = await importSigningKey(crypto.getRandomValues(new Uint8Array(32)));
    for (const changes of [{}, { by: `${'B'.repeat(10)}A` }])
      expect((await refusal(await signedBy(key, changes))).message).toContain('not signed by anybody');
  });

  test('one that is signed by somebody after their time', async () => {
    const identity = await as(team.place, tokens.bob, async (bob) => Promise.resolve(bob.identity));
    const { header } = value(text);
    await asOwner(team, async (owner) => remove(owner, 'bob'));
    const by = identity.principal;
    expect(await against(await signedBy(identity.signing, { by, header }))).toMatchObject({ checkpoints: 1 });
    const late = await signedBy(identity.signing, { by, header: header + 1 });
    expect((await refusal(late)).message).toContain('not signed by anybody');
  });
});

describe('a checkpoint finds', () => {
  let before: string;

  beforeEach(() => {
    before = path.join(path.dirname(team.place.path), 'before');
    copyFileSync(team.place.path, before);
  });

  test('an older vault, with both generations', async () => {
    await asOwner(team, async (owner) => put(owner, 'db', 'two'));
    const later = await make();
    copyFileSync(before, team.place.path);
    const error = await failureOf(against(later));
    expect([error.code, error.exitCode]).toEqual(['ROLLBACK', 7]);
    expect(error.message).toContain(`generation ${value(text).generation}, the checkpoint of`);
    expect(error.message).toContain(`has ${value(later).generation}`);
    // What was made before the older vault says nothing of it.
    await against(text);
  });

  test('two histories', async () => {
    await asOwner(team, async (owner) => put(owner, 'db', 'two'));
    const later = await make();
    copyFileSync(before, team.place.path);
    const elsewhere = {
      ...team,
      place: { ...otherMachine(team), audit: { ...team.place.audit, path: `${before}.log` } },
    };
    await asOwner(elsewhere, async (owner) => put(owner, 'db', 'another two'));
    const error = await failureOf(against(later));
    expect([error.code, error.message.includes('two histories')]).toEqual(['ROLLBACK', true]);
  });

  const lines = (): string[] => readFileSync(team.place.audit.path, 'utf8').trimEnd().split('\n');
  const write = (of: readonly string[]): void => writeFileSync(team.place.audit.path, `${of.join('\n')}\n`);

  test('a log that was cut behind what the vault names', async () => {
    const cut = lines().slice(0, -1);
    write(cut);
    expect(await against()).toMatchObject({ last: cut.length });
    const { fault, proven, message } = (await refusal(text)) as AuditFault;
    expect(fault).toMatchObject({ kind: 'truncated', line: cut.length + 1, sequence: cut.length + 1 });
    expect(proven?.sequence).toBe(cut.length);
    expect(message).toContain(`the checkpoint of ${value(text).time}`);
  });

  test('a log whose end was cut and written anew', async () => {
    write(lines().slice(0, -1));
    await as({ ...team.place, stateFolder: null }, tokens.ada, async (ada) => getIn(ada, 'staging', 'db'));
    expect(await against()).toMatchObject({ last: value(text).seq });
    const { fault, proven } = (await refusal(text)) as AuditFault;
    expect(fault).toMatchObject({ kind: 'changed', line: value(text).seq, sequence: value(text).seq });
    expect(proven?.sequence).toBe(value(text).seq - 1);
  });

  test('another log, and none', async () => {
    const elsewhere = {
      ...team,
      place: { ...otherMachine(team), audit: { ...team.place.audit, path: `${before}.log` } },
    };
    await asOwner(elsewhere, async (owner) => getIn(owner, 'staging', 'db'));
    copyFileSync(`${before}.log`, team.place.audit.path);
    expect((await refusal(text)).message).toContain('names another log');
    writeFileSync(team.place.audit.path, '');
    expect((await refusal(text)).message).toContain('is missing');
  });
});
