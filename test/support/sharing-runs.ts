/** Runs with --json of the commands about sharing and keys, by the name of the schema. */
import { writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { fastKdf, type BinaryVault, type Variables } from './binary-vault.ts';
import type { Run } from './json-run.ts';

const input = 'a passphrase of her own';
/** Whoever has a passphrase beside the owner makes it necessary to say who one is. */
const asOwner: { readonly env: Variables } = { env: { VAULT_PRINCIPAL: 'owner' } };
export const asAda: { readonly env: Variables } = {
  env: { VAULT_PRINCIPAL: 'ada', VAULT_PASSPHRASE: input },
};

const token = expect.stringMatching(/^vlt1_/u) as unknown;
const invitation = expect.stringMatching(/^vli1_/u) as unknown;
const time = expect.stringMatching(/Z$/u) as unknown;
const passphraseSlot = { type: 'passphrase' };

/** Ada, who gets in by a passphrase and is no administrator. */
const ada = ['access', 'add', 'ada', '--can', 'read,write', '--env', 'development', ...fastKdf] as const;
const byPassphrase = [...ada, '--new-passphrase-file', '-'] as const;
const addAda = async (vault: BinaryVault): Promise<unknown> => vault.ok(byPassphrase, { input });
const addCi = async (vault: BinaryVault): Promise<unknown> =>
  vault.ok(['access', 'add', 'ci', '--can', 'read', '--env', 'development', '--token']);

const requestByAda = async (vault: BinaryVault): Promise<unknown> => {
  const words = ['join', '--request', '--replace', '--name', 'ada', ...fastKdf];
  const { stdout } = await vault.ok(words, { env: { VAULT_PASSPHRASE: input } });
  writeFileSync(vault.in('request'), stdout);
  return stdout;
};

const inviteBob = async (vault: BinaryVault): Promise<unknown> => {
  const words = ['access', 'add', 'bob', '--can', 'read', '--env', 'development', '--invite'];
  const { stdout } = await vault.ok(words);
  writeFileSync(vault.in('invitation'), stdout);
  return stdout;
};

/** Id of the newest credential of this type. */
async function slotOf(vault: BinaryVault, type: string, who: { readonly env: Variables }): Promise<string> {
  const slots = (await vault.json(['slot', 'ls'], who)) as { id: string; type: string }[];
  return slots.find((slot) => slot.type === type)?.id ?? '';
}

/** Ada gives up a credential, and keeps the keys. */
export async function leaveMark(vault: BinaryVault): Promise<void> {
  await addAda(vault);
  await vault.ok(['slot', 'add', '--token'], asAda);
  await vault.ok(['slot', 'rm', await slotOf(vault, 'token', asAda), '--yes'], asAda);
}

/** An administrator goes who may know the token of ci. */
export async function loseAdministrator(vault: BinaryVault): Promise<void> {
  await addCi(vault);
  await vault.ok(['access', 'add', 'eve', '--can', 'admin', '--token']);
  await vault.ok(['access', 'rm', 'eve', '--yes']);
}

const inDevelopment = (...levels: readonly string[]) => ({
  admin: false,
  environments: { development: levels },
});

export const sharingRuns: Readonly<Record<string, readonly Run[]>> = {
  'access-ls': [
    {
      before: async (vault) => {
        await leaveMark(vault);
        await vault.ok(['access', 'add', 'eve', '--can', 'admin', '--token', '--expires', '90d'], asOwner);
        await vault.ok(['access', 'add', 'bob', '--can', 'list', '--env', '*', '--invite'], asOwner);
      },
      args: ['access', 'ls'],
      ...asOwner,
      like: expect.arrayContaining([
        expect.objectContaining({ name: 'owner', you: true, admin: true, environments: {}, rekeyDue: null }),
        expect.objectContaining({ name: 'ada', rekeyDue: time, credentials: ['passphrase'] }),
        expect.objectContaining({ name: 'eve', expires: time }),
        expect.objectContaining({ name: 'bob', state: 'invited', credentials: [] }),
      ]),
    },
    { args: ['access', 'ls', '--due'], ...asOwner, like: [{ name: 'ada' }] },
  ],
  'access-add': [
    {
      args: ['access', 'add', 'ci', '--can', 'read', '--env', 'staging', '--token', '--expires', '90d'],
      like: {
        name: 'ci',
        environments: { staging: ['list', 'read'] },
        expires: time,
        token,
        invitation: null,
      },
    },
    {
      args: ['access', 'add', 'bob', '--can', 'list', '--env', 'development', '--invite'],
      like: { ...inDevelopment('list'), token: null, invitation },
    },
    {
      before: requestByAda,
      args: [...ada.slice(0, 7), '--request', 'request', '--yes'],
      like: { ...inDevelopment('list', 'read', 'write'), rekeyed: [], token: null, invitation: null },
    },
    {
      args: ['access', 'add', 'eve', '--can', 'admin', '--new-passphrase-file', '-', ...fastKdf],
      input,
      like: { admin: true, environments: {}, expires: null, token: null, invitation: null },
    },
  ],
  'access-grant': [
    {
      before: addCi,
      args: ['access', 'grant', 'ci', '--can', 'rotate', '--env', 'development'],
      like: { ...inDevelopment('list', 'read', 'rotate'), rekeyed: [] },
    },
    { args: ['access', 'grant', 'ci', '--expires', '30d'], like: { expires: time } },
  ],
  'access-revoke': [
    {
      before: addCi,
      args: ['access', 'revoke', 'ci', '--can', 'read', '--env', 'development'],
      like: { ...inDevelopment('list'), rekeyed: ['development'] },
    },
    { args: ['access', 'revoke', 'ci', '--yes'], like: { environments: {} } },
  ],
  'access-rm': [
    {
      before: addCi,
      args: ['access', 'rm', 'ci', '--yes'],
      like: { name: 'ci', rekeyed: ['development'] },
    },
  ],
  'access-reissue': [
    {
      before: addCi,
      args: ['access', 'reissue', 'ci', '--token', '--compromised'],
      like: { name: 'ci', rekeyed: ['development'], token, invitation: null },
    },
    {
      args: ['access', 'reissue', 'ci', '--new-passphrase-file', '-', ...fastKdf],
      input,
      like: { name: 'ci', token: null, invitation: null },
    },
  ],
  'env-ls': [
    {
      args: ['env', 'ls'],
      like: expect.arrayContaining([
        { name: 'development', level: 'read', default: true, epoch: 1, keysSince: time, secrets: 1 },
      ]),
    },
    {
      before: addAda,
      args: ['env', 'ls'],
      ...asAda,
      like: expect.arrayContaining([
        expect.objectContaining({ name: 'production', level: null, keysSince: null, secrets: null }),
      ]),
    },
  ],
  'env-add': [{ args: ['env', 'add', 'production/payments'], like: { name: 'production/payments' } }],
  'env-rm': [{ args: ['env', 'rm', 'staging', '--yes'], like: { name: 'staging' } }],
  rekey: [
    { args: ['rekey', '--env', 'production'], like: { rekeyed: ['production'] } },
    { args: ['rekey'], like: { rekeyed: ['development', 'staging', 'production', 'testing'] } },
  ],
  join: [
    {
      before: inviteBob,
      args: ['join', '--invitation-file', 'invitation', ...fastKdf],
      env: { VAULT_PASSPHRASE: input },
      like: { name: 'bob', complete: false },
    },
    {
      args: ['join', '--request', '--name', 'ada', ...fastKdf],
      like: { kind: 'join-request', name: 'ada' },
    },
    {
      before: async (vault) => {
        await requestByAda(vault);
        await vault.ok([...ada.slice(0, 7), '--request', 'request', '--yes'], asOwner);
      },
      args: ['join'],
      ...asAda,
      like: { name: 'ada', complete: true },
    },
  ],
  offboard: [
    { args: ['offboard', '--status'], like: { secrets: [], tokens: [], done: true } },
    {
      before: async (vault) => {
        await addAda(vault);
        await vault.ok(['show', 'canary'], asAda);
        await vault.ok(['get', 'canary'], { ...asAda, shows: true });
      },
      args: ['offboard', 'ada', '--yes'],
      ...asOwner,
      like: {
        name: 'ada',
        rekeyed: ['development'],
        versions: [{ name: 'canary', environment: 'development', version: 1, current: true, lastUsed: time }],
      },
    },
    {
      before: loseAdministrator,
      args: ['offboard', 'ada', '--status'],
      status: 1,
      like: { secrets: [{ principal: 'ada', name: 'canary', since: time }], tokens: ['ci'], done: false },
    },
  ],
  'policy-show': [
    {
      args: ['policy', 'show'],
      like: expect.arrayContaining([
        expect.objectContaining({ key: 'environment.default', value: 'development' }),
        expect.objectContaining({ key: 'retention.versions', value: '100', default: true }),
      ]),
    },
    { args: ['policy', 'show', 'kdf.function'], like: [{ key: 'kdf.function', value: 'argon2id' }] },
  ],
  'policy-set': [
    {
      args: ['policy', 'set', 'passphrase.days', '90'],
      like: { key: 'passphrase.days', value: '90', default: false },
    },
    { args: ['policy', 'set', 'passphrase.days', 'default'], like: { value: '0', default: true } },
    { args: ['policy', 'set', 'environment.default', 'staging'], like: { value: 'staging', default: false } },
    {
      args: ['policy', 'set', 'environment.default', 'default'],
      like: { value: 'development', default: true },
    },
  ],
  'slot-ls': [
    {
      before: leaveMark,
      args: ['slot', 'ls'],
      ...asAda,
      like: expect.arrayContaining([
        expect.objectContaining({ type: 'passphrase', inUse: true, since: time, device: null }),
        expect.objectContaining({ type: 'removed', inUse: false, since: time, kdf: { name: 'none' } }),
      ]),
    },
  ],
  'slot-add': [
    { args: ['slot', 'add', '--token'], like: { type: 'token', token, recoveryKey: null } },
    {
      args: ['slot', 'add', '--recovery'],
      like: { token: null, recoveryKey: expect.stringMatching(/^VRK1-/u) as unknown },
    },
    {
      args: ['slot', 'add', '--new-passphrase-file', '-', ...fastKdf],
      input,
      like: { type: 'passphrase', token: null, recoveryKey: null },
    },
  ],
  'slot-rm': [
    {
      before: async (vault) => vault.ok(['slot', 'add', '--token']),
      args: async (vault) => ['slot', 'rm', await slotOf(vault, 'token', asOwner), '--yes', '--no-recovery'],
      like: {
        renewed: true,
        removed: [{ type: 'token' }],
        rekeyed: ['development', 'staging', 'production', 'testing'],
      },
    },
    {
      before: async (vault) => {
        await addAda(vault);
        await vault.ok(['slot', 'add', '--token'], asAda);
      },
      args: async (vault) => ['slot', 'rm', await slotOf(vault, 'token', asAda), '--yes'],
      ...asAda,
      like: { renewed: false, removed: [{ type: 'token' }], rekeyed: [] },
    },
  ],
  passwd: [
    {
      args: ['passwd', ...fastKdf, '--new-passphrase-file', '-'],
      input: 'another one',
      like: { renewed: false, removed: [passphraseSlot], rekeyed: [] },
    },
    {
      args: ['passwd', '--compromised', '--recovery-file', 'key', ...fastKdf, '--new-passphrase-file', '-'],
      env: { VAULT_PASSPHRASE: 'another one' },
      input: 'a third one',
      like: {
        renewed: true,
        removed: [passphraseSlot],
        rekeyed: ['development', 'staging', 'production', 'testing'],
      },
    },
  ],
  recover: [
    {
      before: async (vault) => {
        const { stdout } = await vault.ok(['slot', 'add', '--recovery']);
        writeFileSync(vault.in('key'), stdout);
      },
      args: ['recover', '--recovery-key-file', 'key', '--recovery-file', 'next', ...fastKdf],
      like: {
        renewed: false,
        removed: expect.arrayContaining([
          expect.objectContaining(passphraseSlot),
          expect.objectContaining({ type: 'recovery' }),
        ]) as unknown,
        rekeyed: [],
      },
    },
  ],
};
