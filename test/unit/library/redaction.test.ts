/** Objects with a value in them show none by accident. */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { DatabaseCredential, Secret, type SecretInfo } from '../../../src/index.ts';

const canary = 'canary-value-of-a-test';
const info: SecretInfo = {
  name: 'db/password',
  environment: 'development',
  type: 'password',
  version: 1,
  created: '2026-11-22T08:00:38.123Z',
  updated: '2026-11-22T08:00:38.123Z',
  expires: null,
  tags: {},
  description: '',
  variable: null,
  rotations: 0,
  graceUntil: null,
  rotateEverySeconds: null,
  removed: null,
};
const credential = new DatabaseCredential(info, {
  engine: 'postgres',
  host: 'db',
  port: 5432,
  database: 'shop',
  username: 'ada',
  password: canary,
});

/** Every usual way by which an object ends in a log. */
function shownForms(one: object): string[] {
  return [
    // oxlint-disable-next-line typescript/no-base-to-string, typescript/restrict-template-expressions -- what a mistake looks like
    `${one}`,
    // oxlint-disable-next-line typescript/no-base-to-string
    String(one),
    JSON.stringify(one),
    inspect(one, { depth: 9, showHidden: true }),
    inspect({ one: [one] }, { depth: 9, showHidden: true, getters: true }),
    JSON.stringify({ ...one }),
    inspect(structuredClone({ ...one }), { depth: 9 }),
  ];
}

describe('Secret', () => {
  it('shows no value', () => {
    const secret = new Secret(info, utf8(canary));
    const bytes = inspect(secret.value);
    for (const form of shownForms(secret)) {
      expect(form).not.toContain(canary);
      expect(form).not.toContain(bytes.slice(20, 60));
    }
    expect(JSON.parse(JSON.stringify(secret))).toEqual({ info, value: '[secret]' });
    expect(secret.text()).toBe(canary);
  });

  it('is zeros once it is wiped, and gives nothing more', () => {
    const value = utf8(canary);
    const secret = new Secret(info, value);
    secret.wipe();
    secret.wipe();
    expect(value.every((byte) => byte === 0)).toBe(true);
    expect(() => secret.value).toThrow('the value was wiped');
    expect(() => secret.text()).toThrow('the value was wiped');
    expect(secret.info).toBe(info);
  });

  it('is wiped at the end of a block', () => {
    const value = utf8(canary);
    {
      using secret = new Secret(info, value);
      expect(secret.text()).toBe(canary);
    }
    expect(value.every((byte) => byte === 0)).toBe(true);
  });

  it('keeps a byte order mark, and refuses text that is none', () => {
    expect(new Secret(info, utf8('\ufeffx')).text()).toBe('\ufeffx');
    expect(() => new Secret(info, Uint8Array.of(0xff)).text()).toThrow('the value of the secret is not text');
  });
});

describe('DatabaseCredential', () => {
  it('shows everything but the password', () => {
    for (const form of shownForms(credential)) expect(form).not.toContain(canary);
    expect(inspect(credential)).toContain("username: 'ada'");
    expect(JSON.parse(JSON.stringify(credential))).toEqual({
      info,
      engine: 'postgres',
      host: 'db',
      port: 5432,
      database: 'shop',
      username: 'ada',
      password: '[secret]',
    });
    expect(credential.password).toBe(canary);
  });
});
