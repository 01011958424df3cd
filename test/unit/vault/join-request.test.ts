/** Coming into a vault by a request: public keys travel, an administrator accepts them, the newcomer brings the rest. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64url, utf8 } from '../../../src/crypto/bytes.ts';
import { encodeJoinRequest, parseJoinRequest, type JoinRequest } from '../../../src/format/join-text.ts';
import {
  checkJoinRequest,
  fingerprintOf,
  hasPendingJoin,
  makeJoinRequest,
} from '../../../src/vault/join-request.ts';
import { reissuePrincipal } from '../../../src/vault/operations/access.ts';
import type { Place } from '../../../src/vault/place.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';

import { get, put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import { asAda, newcomer, passphrase, stateOf, teamAndNewcomer } from '../../support/newcomer.ts';
import {
  addBy,
  asOwner,
  engine,
  finish,
  otherMachine,
  remove,
  request,
  teamVault,
  verifiedByOwner,
} from '../../support/team.ts';

const staging = { can: 'read,write', env: 'staging' };

let team: SampleVault;
/** The newcomer’s machine. */
let hers: Place;

beforeEach(async () => {
  ({ team, hers } = await teamAndNewcomer('of staging'));
});

describe('a request', () => {
  test('has public keys only, and what stays on the machine opens with the passphrase alone', async () => {
    const made = await makeJoinRequest(hers, 'ada', async () => Promise.resolve(newcomer));
    expect(Object.keys(made)).toEqual(['kind', 'vault', 'id', 'name', 'time', 'signPub', 'sealPub', 'sig']);
    const folder = hers.stateFolder ?? '';
    const kept = readdirSync(folder).filter((name) => name.endsWith('.join'));
    expect(kept).toHaveLength(1);
    const text = readFileSync(path.join(folder, kept[0] ?? ''), 'utf8');
    expect(text).not.toContain(passphrase);
    const { slots, bundle } = JSON.parse(text) as { slots: string[]; bundle: string };
    const lines = [...slots, bundle].map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ kind }) => kind)).toEqual(['slot', 'bundle']);
    // None of what is sealed there stands in the request.
    const travels = Buffer.from(encodeJoinRequest(made)).toString('utf8');
    for (const { wrapped, sealed } of lines) expect(travels).not.toContain(String(wrapped ?? sealed));
  });

  test('becomes access in three steps: before the second it is nothing, before the third nobody', async () => {
    const entrance = await request(hers, 'ada', passphrase);
    const before = readFileSync(team.place.path);
    expect(hasPendingJoin(hers)).toBe(true);
    expect(await failureOf(finish(hers, passphrase))).toMatchObject({ exitCode: 4 });
    expect(readFileSync(team.place.path)).toEqual(before);

    await asOwner(team, async (owner) => addBy(owner, 'ada', staging, entrance));
    expect(await stateOf(team, 'ada')).toBe('awaited');
    expect(await verifiedByOwner(team)).toBe(1);
    expect(await failureOf(asAda(hers, async (ada) => get(ada, 'db')))).toMatchObject({ exitCode: 4 });
    expect(await failureOf(finish(hers, 'a wrong one'))).toMatchObject({ exitCode: 4 });

    expect(await finish(hers, passphrase)).toBe('ada');
    expect(hasPendingJoin(hers)).toBe(false);
    // Before any other change: an administrator sealed her keys to her already.
    expect(await asAda(hers, async (ada) => get(ada, 'db'))).toBe('of staging');
    expect(await asAda(hers, async (ada) => put(ada, 'db', 'by ada'))).toMatchObject({ version: 2 });
    expect(await stateOf(team, 'ada')).toBe('joined');
    await asOwner(team, async (owner) => put(owner, 'db', 'by the owner'));
    expect(await stateOf(team, 'ada')).toBe('active');
    expect(await verifiedByOwner(team)).toBe(3);
  });

  test('wraps what was sealed to her under her own key when she arrives', async () => {
    const entrance = await request(hers, 'ada', passphrase);
    await asOwner(team, async (owner) => addBy(owner, 'ada', staging, entrance));
    const formOf = (): string => Forgery.read(team.place.path).one('grant', entrance.id).form;
    expect(formOf()).toBe('seal');
    await finish(hers, passphrase);
    expect(formOf()).toBe('wrap');
  });

  test('is used once: not for a second principal, not after removal, not for a reissue', async () => {
    const entrance = await request(hers, 'ada', passphrase);
    await asOwner(team, async (owner) => {
      await addBy(owner, 'ada', staging, entrance);
      expect((await failureOf(addBy(owner, 'eve', staging, entrance))).exitCode).toBe(2);
    });
    await finish(hers, passphrase);
    expect(await failureOf(finish(hers, passphrase))).toMatchObject({ exitCode: 3 });
    await asOwner(team, async (owner) => {
      const again = owner.write('access-reissue', async (scope) =>
        reissuePrincipal(scope, 'ada', entrance, { engine, exposed: true }),
      );
      expect((await failureOf(again)).exitCode).toBe(2);
      await remove(owner, 'ada');
      expect((await failureOf(addBy(owner, 'ada', staging, entrance))).exitCode).toBe(2);
      expect(
        (await failureOf(addBy(owner, 'ada', staging, { ...entrance, id: encodeBase64url(systemRandom(8)) })))
          .exitCode,
      ).toBe(2);
    });
    expect(await verifiedByOwner(team)).toBe(1);
  });

  test('withdrawn by access rm before she came brings nobody in', async () => {
    const entrance = await request(hers, 'ada', passphrase);
    await asOwner(team, async (owner) => {
      await addBy(owner, 'ada', staging, entrance);
      await remove(owner, 'ada');
    });
    expect(await failureOf(finish(hers, passphrase))).toMatchObject({ exitCode: 4 });
  });

  test('for another vault is refused', async () => {
    const made = await makeJoinRequest(hers, 'ada', async () => Promise.resolve(newcomer));
    const other = await teamVault(['staging']);
    expect(await failureOf(checkJoinRequest(other.vaultId, made))).toMatchObject({ exitCode: 2 });
    await checkJoinRequest(team.vaultId, made);
  });

  test.each(['vault', 'id', 'name', 'time', 'signPub', 'sealPub', 'sig'] as const)(
    'whose %s was changed is refused',
    async (member) => {
      const made = await makeJoinRequest(hers, 'ada', async () => Promise.resolve(newcomer));
      const others = await makeJoinRequest(otherMachine(team), 'eve', async () => Promise.resolve(newcomer));
      const changed: JoinRequest = { ...made, [member]: member === 'vault' ? team.vaultId : others[member] };
      const vaultId = member === 'vault' ? (await teamVault(['staging'])).vaultId : team.vaultId;
      expect(await failureOf(checkJoinRequest(vaultId, changed))).toMatchObject({ exitCode: 2 });
    },
  );

  test('with either public key changed has another fingerprint', async () => {
    const made = await makeJoinRequest(hers, 'ada', async () => Promise.resolve(newcomer));
    const others = await makeJoinRequest(otherMachine(team), 'ada', async () => Promise.resolve(newcomer));
    const prints = await Promise.all(
      [made, { ...made, signPub: others.signPub }, { ...made, sealPub: others.sealPub }].map(fingerprintOf),
    );
    expect(new Set(prints).size).toBe(3);
    expect(prints[0]).toMatch(/^([0-9a-f]{4} ){7}[0-9a-f]{4}$/u);
  });

  test('is read strictly', async () => {
    const made = await makeJoinRequest(hers, 'ada', async () => Promise.resolve(newcomer));
    const raw = encodeJoinRequest(made);
    expect(parseJoinRequest(raw)).toEqual(made);
    const text = Buffer.from(raw).toString('utf8');
    for (const other of [
      text.replace('"ada"', '"a\\u0064a"'),
      text.slice(0, -10),
      text.replace('"name"', '"nam"'),
    ])
      expect(await failureOf(() => parseJoinRequest(utf8(other)))).toMatchObject({ exitCode: 2 });
    expect(parseJoinRequest(utf8('hello'))).toBeNull();
  });

  test('damaged on her machine says so', async () => {
    const entrance = await request(hers, 'ada', passphrase);
    await asOwner(team, async (owner) => addBy(owner, 'ada', staging, entrance));
    const folder = hers.stateFolder ?? '';
    const file = path.join(folder, readdirSync(folder).find((name) => name.endsWith('.join')) ?? '');
    writeFileSync(file, readFileSync(file).subarray(0, 100));
    expect(await failureOf(finish(hers, passphrase))).toMatchObject({ exitCode: 7 });
  });
});
