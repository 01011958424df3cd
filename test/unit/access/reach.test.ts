/**
 * What a credential reaches by the crypto modules alone, whatever the program would say: that is a matter of keys, not of an `if`.
 * Every key that can be come by is tried on every block, value, note, carried text, grant, bundle and slot of the file.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { nameHash } from '../../../src/audit/record.ts';
import { addEnvironment } from '../../../src/vault/operations/environments.ts';
import {
  everythingIn,
  keysFrom,
  openedBy,
  recoveryCredential,
  tokenCredential,
} from '../../support/reach.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, teamVault } from '../../support/team.ts';

const compartment = 'production/payments';

let team: SampleVault;
let file: string;
let tokens: Record<'ci' | 'lister' | 'rotator' | 'blind' | 'producer', string>;

async function openedByToken(name: keyof typeof tokens): Promise<string[]> {
  return openedBy(file, await keysFrom(file, tokenCredential(tokens[name]), name));
}

beforeAll(async () => {
  team = await teamVault(['staging', 'production']);
  file = team.place.path;
  tokens = await asOwner(team, async (owner) => {
    await owner.write('env-add', async (scope) => addEnvironment(scope, compartment));
    for (const environment of ['staging', 'production', compartment])
      await put(owner, `db of ${environment}`, `value of ${environment}`, { environment });
    return {
      ci: await add(owner, 'ci', { can: 'list,read', env: 'staging' }),
      lister: await add(owner, 'lister', { can: 'list', env: 'staging' }),
      rotator: await add(owner, 'rotator', { can: 'rotate', env: 'production' }),
      blind: await add(owner, 'blind', { can: 'write,delete', env: 'production' }),
      producer: await add(owner, 'producer', { can: 'read', env: 'production' }),
    };
  });
  // A second version, sealed to the environment's public key, in a changes line.
  await as(team.place, tokens.rotator, async (vault) =>
    put(vault, 'db of production', 'rotated', { environment: 'production', operation: 'rotate' }),
  );
});

describe('by the crypto modules alone', () => {
  test('a token that may list and read staging opens that, its own keys, and nothing else', async () => {
    expect(await openedByToken('ci')).toEqual([
      'block staging',
      'bundle ci',
      'carry staging',
      'grant ci staging',
      'note staging 1',
      'slot ci token',
      'value staging 1',
    ]);
  });

  test('one that may list opens names and notes, and no value', async () => {
    expect(await openedByToken('lister')).toEqual([
      'block staging',
      'bundle lister',
      'carry staging',
      'grant lister staging',
      'note staging 1',
      'slot lister token',
    ]);
  });

  test.each(['rotator', 'blind'] as const)(
    'one that adds versions and may not read opens no value, its own neither: %s',
    async (name) => {
      expect(await openedByToken(name)).toEqual([
        'block production',
        `bundle ${name}`,
        'carry production',
        `grant ${name} production`,
        'note production 1',
        'note production 2',
        `slot ${name} token`,
      ]);
    },
  );

  test('one that may read production opens nothing of a compartment in it', async () => {
    const opened = await openedByToken('producer');
    expect(opened).toContain('value production 2');
    expect(opened.filter((what) => what.includes(compartment))).toEqual([]);
  });

  test('the owner opens everything but the keys of others: so would the others, if they could', async () => {
    const opened = await openedBy(
      file,
      await keysFrom(file, await recoveryCredential(team.recoveryKey), 'owner'),
    );
    const others = everythingIn(file).filter((what) => !opened.includes(what));
    expect(others).toEqual(
      Object.entries({ ci: 'staging', lister: 'staging', rotator: 'production', blind: 'production' })
        .concat([['producer', 'production']])
        .flatMap(([name, environment]) => [
          `bundle ${name}`,
          `grant ${name} ${environment}`,
          `slot ${name} token`,
        ])
        .concat('slot owner passphrase')
        .sort(),
    );
    expect(opened).toContain(`value ${compartment} 1`);
  });

  test('no key of a token makes the hash of a name elsewhere in the audit log', async () => {
    const log = readFileSync(team.place.audit.path, 'utf8');
    const keys = await keysFrom(file, tokenCredential(tokens.ci), 'ci');
    const inLog = async (name: string): Promise<boolean> => {
      const hashes = await Promise.all(keys.all.map(async (key) => nameHash(key, name)));
      return hashes.some((hash) => log.includes(hash));
    };
    expect(await inLog('db of staging')).toBe(true);
    expect(await inLog('db of production')).toBe(false);
  });
});
