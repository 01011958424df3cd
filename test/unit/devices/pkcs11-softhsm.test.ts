/**
 * Real tokens: SoftHSM's through OpenSC's pkcs11-tool. What a slot's key depends on is the signature, which must be right, the same
 * each time and of the one key that is meant; what must not happen is a second wrong PIN, or one that somebody sees.
 */
import { execFileSync } from 'node:child_process';
import { verify } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { utf8, type Bytes } from '../../../src/crypto/bytes.ts';
import { Domain } from '../../../src/crypto/pae.ts';
import { enrolDevice, findToken, signWithDevice, type SignRequest } from '../../../src/devices/pkcs11.ts';
import { encodePkcs11Uri, parsePkcs11Uri, parseStoredPkcs11Uri } from '../../../src/format/pkcs11-uri.ts';
import { Canary } from '../../support/canary.ts';
import { failureOf } from '../../support/failure.ts';
import { whoShows } from '../../support/process-watch.ts';
import { systemRandom } from '../../support/sample-vault.ts';
import { SoftTokens, softModule, softTokensMissing } from '../../support/soft-token.ts';

const missing = await softTokensMissing();

/** SoftHSM can be built without. */
function edwardsMissing(): string | null {
  if (missing !== null) return missing;
  const probe = new SoftTokens();
  return probe.can(probe.add('probe', 'probe-pin'), 'EDDSA') ? null : 'this SoftHSM has no EdDSA';
}

const noEdwards = edwardsMissing();

/** As of a slot. */
const message = new Domain('V'.repeat(22)).encode('pkcs11', 'principal', 'slot', systemRandom(16));
const canary = new Canary();
const pin = canary.value;

let tokens: SoftTokens;
let work: string;
let twin: string;
let bare: string;

function request(uri: string, more: Partial<SignRequest> = {}): SignRequest {
  return {
    uri: parsePkcs11Uri(uri),
    module: softModule,
    environment: tokens.environment,
    message,
    pin: async () => Promise.resolve(pin),
    ...more,
  };
}

const sign = async (uri: string, more?: Partial<SignRequest>): Promise<Bytes> =>
  signWithDevice(request(uri, more));

describe.skipIf(missing !== null)(
  `SoftHSM${missing === null ? '' : ` (SKIPPED: ${missing})`}`,
  { timeout: 60_000 },
  () => {
    beforeAll(() => {
      tokens = new SoftTokens();
      work = tokens.add('work token', pin);
      twin = tokens.add('twins', pin);
      tokens.addKey(work, { type: 'rsa:2048', label: 'rsa', id: '01' });
      if (noEdwards === null) tokens.addKey(work, { type: 'EC:edwards25519', label: 'ed', id: '02ff' });
      tokens.addKey(work, { type: 'EC:prime256v1', label: 'ec', id: '03' });
      tokens.addKey(work, { type: 'rsa:1024', label: 'short', id: '04' });
      tokens.addKey(work, { type: 'rsa:2048', label: 'same', id: '05' });
      tokens.addKey(work, { type: 'rsa:2048', label: 'other', id: '05' });
      tokens.addKey(work, { type: 'rsa:2048', label: 'without' });
      tokens.addKey(twin, { type: 'rsa:2048', label: 'rsa', id: '01' });
      bare = tokens.add('twins', pin);
      tokens.addKey(bare, { type: 'rsa:3072', label: 'rsa', id: '01' });
    }, 120_000);

    test('RSA: PKCS #1 v1.5 over SHA-256, the same each time', async () => {
      const signature = await sign('pkcs11:token=work%20token;object=rsa');
      expect(signature).toHaveLength(256);
      expect(verify('sha256', message, tokens.publicKey(work, 'rsa'), signature)).toBe(true);
      expect(await sign(`pkcs11:serial=${work};id=%01`)).toEqual(signature);
      expect(await sign(`pkcs11:serial=${work};id=%01`, { message: utf8('other') })).not.toEqual(signature);
    });

    test.skipIf(noEdwards !== null)(
      `Ed25519: over the message itself, the same each time${noEdwards === null ? '' : ` (SKIPPED: ${noEdwards})`}`,
      async () => {
        const signature = await sign('pkcs11:token=work%20token;id=%02%ff');
        expect(signature).toHaveLength(64);
        expect(verify(null, message, tokens.publicKey(work, 'ed'), signature)).toBe(true);
        expect(await sign('pkcs11:token=work%20token;object=ed')).toEqual(signature);
        const longest = new Uint8Array(1_024).fill(7);
        const long = await sign('pkcs11:token=work%20token;object=ed', { message: longest });
        expect(verify(null, longest, tokens.publicKey(work, 'ed'), long)).toBe(true);
        await expect(
          sign('pkcs11:token=work%20token;object=ed', { message: new Uint8Array(1_025) }),
        ).rejects.toThrow(RangeError);
      },
    );

    test('openssl agrees', async () => {
      const file = (name: string): string => path.join(tokens.folder, name);
      writeFileSync(file('message'), message);
      writeFileSync(file('signature'), await sign('pkcs11:token=work%20token;object=rsa'));
      writeFileSync(file('public'), tokens.publicKey(work, 'rsa').export({ format: 'pem', type: 'spki' }));
      const args = [
        'dgst',
        '-sha256',
        '-verify',
        file('public'),
        '-signature',
        file('signature'),
        file('message'),
      ];
      expect(execFileSync('openssl', args, { encoding: 'utf8' })).toContain('Verified OK');
    });

    test('enrolment fills in what finds the key again, and signs alike', async () => {
      const slot = tokens.slotOf(work);
      const { signature, uri } = await enrolDevice(
        request(`pkcs11:object=rsa;slot-id=${slot};manufacturer=SoftHSM%20project`),
      );
      const hint = encodePkcs11Uri(uri);
      expect(hint).toBe(
        `pkcs11:token=work%20token;manufacturer=SoftHSM%20project;slot-id=${slot};object=rsa`,
      );
      expect(await signWithDevice({ ...request('pkcs11:'), uri: parseStoredPkcs11Uri(hint) })).toEqual(
        signature,
      );

      const bySerial = await enrolDevice(request(`pkcs11:serial=${bare}?module-path=/elsewhere.so`));
      expect(encodePkcs11Uri(bySerial.uri)).toBe(`pkcs11:serial=${bare};id=%01`);
      expect(verify('sha256', message, tokens.publicKey(bare, 'rsa'), bySerial.signature)).toBe(true);
    });

    test('a wrong PIN is a failed unlock, is sent once, and says that tries are few', async () => {
      const { environment, runs } = tokens.recordingTool();
      const wrong = `${pin}x`;
      const failure = await failureOf(
        sign('pkcs11:token=work%20token;object=rsa', {
          environment,
          pin: async () => Promise.resolve(wrong),
        }),
      );
      expect(failure).toMatchObject({ name: 'UnlockError', code: 'UNLOCK_FAILED', exitCode: 4 });
      expect(failure.message).toMatch(/wrong PIN for the token "work token"/u);
      expect(failure.hint).toMatch(/not tried again; few tries are left/u);
      expect(`${failure.message} ${failure.hint}`).not.toContain(pin);
      expect(runs().filter((run) => run.includes(wrong))).toHaveLength(1);

      // The token remembers, and the next one who is asked for the PIN hears it.
      const asked: unknown[] = [];
      const source: SignRequest['pin'] = async (question) => {
        asked.push(question);
        return Promise.resolve(pin);
      };
      expect(await sign('pkcs11:token=work%20token;object=rsa', { pin: source })).toHaveLength(256);
      await sign('pkcs11:token=work%20token;object=rsa', { pin: source });
      expect(asked).toEqual([
        { token: 'work token', serial: work, triesLeft: 'few' },
        { token: 'work token', serial: work, triesLeft: null },
      ]);
    });

    test('what cannot be the PIN is not sent at all', async () => {
      const { environment, runs } = tokens.recordingTool();
      for (const bad of [null, '', 'abc', 'x'.repeat(256), `${pin}\0`, '\uD800abcd']) {
        const failure = await failureOf(
          sign('pkcs11:token=work%20token;object=rsa', {
            environment,
            pin: async () => Promise.resolve(bad),
          }),
        );
        expect(failure).toMatchObject({ name: 'UnlockError', exitCode: 4 });
      }
      expect(runs().map((run) => run.split('\n')[0])).toEqual(
        Array.from({ length: 6 }, () => `--module\0${softModule}\0--list-token-slots`),
      );
    });

    test('a key that is not there is a failed unlock that names those that are', async () => {
      for (const uri of [
        `pkcs11:serial=${bare};id=%09`,
        `pkcs11:serial=${bare};object=rs`,
        `pkcs11:serial=${bare};object=rsa;id=%02`,
      ]) {
        const failure = await failureOf(sign(uri));
        expect(failure).toMatchObject({ name: 'UnlockError', exitCode: 4 });
        expect(failure.hint).toBe('it has "rsa" (id 01)');
      }
      const empty = tokens.add('empty', pin);
      expect(await failureOf(sign(`pkcs11:serial=${empty};id=%01`))).toMatchObject({
        name: 'UnlockError',
        hint: 'it has none at all',
      });
    });

    test('a token that is not there is a failed unlock that names those that are, and nobody is asked for a PIN', async () => {
      const never: SignRequest['pin'] = () => {
        throw new Error('asked');
      };
      for (const attributes of [
        'token=no',
        'token=work',
        'serial=0',
        'token=work%20token;model=x',
        'token=work%20token;manufacturer=x',
        'token=work%20token;slot-id=1',
      ]) {
        const failure = await failureOf(sign(`pkcs11:${attributes};object=rsa`, { pin: never }));
        expect(failure).toMatchObject({ name: 'UnlockError', exitCode: 4 });
        expect(failure.hint).toContain(`"work token" (serial "${work}")`);
        expect(await findToken(request(`pkcs11:${attributes};object=rsa`))).toBeNull();
      }
      expect(await findToken(request('pkcs11:token=work%20token;object=no'))).toMatchObject({ serial: work });
    });

    test('two tokens that match are told apart by serial or slot, not by chance', async () => {
      const failure = await failureOf(sign('pkcs11:token=twins;object=rsa'));
      expect(failure).toMatchObject({ name: 'UsageError', exitCode: 2 });
      expect(failure.message).toContain(twin);
      expect(failure.message).toContain(bare);
      await expect(findToken(request('pkcs11:token=twins;object=rsa'))).rejects.toThrow(
        'more than one token',
      );
      const one = await sign(`pkcs11:token=twins;serial=${twin};object=rsa`);
      expect(verify('sha256', message, tokens.publicKey(twin, 'rsa'), one)).toBe(true);
      expect(await sign(`pkcs11:slot-id=${tokens.slotOf(twin)};object=rsa`)).toEqual(one);
      expect(await sign(`pkcs11:serial=${bare};object=rsa`)).toHaveLength(384);
    });

    const unusable: Record<string, readonly [uri: string, says: RegExp]> = {
      'an EC key signs differently each time': ['object=ec', /ECDSA/u],
      'RSA of 1,024 bits is too short': ['object=short', /fewer than 2,048 bits/u],
      'several keys match': [
        'manufacturer=SoftHSM%20project',
        /more than one key.*"rsa" \(id 01\), .*, "without" \(without id\)/u,
      ],
      'two keys have one id': ['id=%05', /more than one key matches: "other" \(id 05\), "same" \(id 05\)$/u],
      'a label that is unique, on an id that is not': [
        'object=same',
        /more than one private key .* has the id 05/u,
      ],
      'a key without an id cannot be pointed at': ['object=without', /has no id/u],
    };
    test.each(Object.entries(unusable))('%s: refused', async (_, [attributes, says]) => {
      const failure = await failureOf(enrolDevice(request(`pkcs11:token=work%20token;${attributes}`)));
      expect(failure).toMatchObject({ name: 'UsageError', exitCode: 2 });
      expect(failure.message).toMatch(says);
    });

    test('the PIN is in the environment of pkcs11-tool while it signs, and nowhere else', async () => {
      const { environment, runs } = tokens.recordingTool();
      const seen = await whoShows(canary, async () => {
        const { signature } = await enrolDevice(
          request('pkcs11:token=work%20token;object=rsa', {
            environment: {
              ...environment,
              VAULT_PASSPHRASE: pin,
              VAULT_PKCS11_PIN_FILE: pin,
              OPENSC_DEBUG: '9',
            },
          }),
        );
        expect(signature).toHaveLength(256);
      });
      expect([...seen.arguments]).toEqual([]);
      expect(seen.environment.size).toBeGreaterThan(0);
      for (const command of seen.environment)
        expect(command).toMatch(/pkcs11-tool .*--pin env:VAULT_PKCS11_PIN/u);

      // Tokens, keys, and two signatures; the first run has no use for a PIN.
      const [listing = '', ...others] = runs();
      expect(others).toHaveLength(3);
      expect(listing).not.toContain(pin);
      for (const run of others) {
        expect(run).toContain(`VAULT_PKCS11_PIN=${pin}\0`);
        expect(run).not.toMatch(/VAULT_PASSPHRASE|PIN_FILE|OPENSC_DEBUG/u);
        expect(run.split('\n')[0]).not.toContain(pin);
      }
      const outside = canary.filesBelow(tokens.folder).filter((file) => !file.includes('recorder-'));
      expect(outside).toEqual([]);
    });

    test('without a module, p11-kit offers the tokens that the system knows', async () => {
      const uri = `pkcs11:serial=${work};object=rsa`;
      expect(await sign(uri, { module: null })).toEqual(await sign(uri));
      expect(await sign(uri, { module: 'p11-kit-proxy.so' })).toEqual(await sign(uri));
    });

    test('a library that cannot be loaded is named', async () => {
      for (const module of [
        '/nowhere/library.so',
        path.join(tokens.folder, 'softhsm2.conf'),
        'no-such-library.so',
      ]) {
        const failure = await failureOf(sign('pkcs11:token=work%20token;object=rsa', { module }));
        expect(failure).toMatchObject({ name: 'BackendError', exitCode: 9 });
        expect(failure.message).toContain(JSON.stringify(module));
        expect(failure.hint).toContain('VAULT_PKCS11_MODULE');
      }
    });

    test('a key that went between looking and signing is a failed unlock', async () => {
      const gone = tokens.add('gone', pin);
      tokens.addKey(gone, { type: 'rsa:2048', label: 'k', id: '01' });
      const script = `#!/bin/sh\ncase "$*" in *--sign*) /usr/bin/pkcs11-tool --module ${softModule} --slot ${tokens.slotOf(gone)} --login --pin ${pin} --delete-object --type privkey --id 01 >/dev/null 2>&1;; esac\nexec /usr/bin/pkcs11-tool "$@"\n`;
      const folder = path.join(tokens.folder, 'deleting');
      mkdirSync(folder);
      writeFileSync(path.join(folder, 'pkcs11-tool'), script, { mode: 0o755 });
      const environment = { ...tokens.environment, PATH: `${folder}:/usr/bin:/bin` };
      const failure = await failureOf(sign(`pkcs11:serial=${gone};id=%01`, { environment }));
      expect(failure).toMatchObject({ name: 'UnlockError', exitCode: 4 });
      expect(failure.message).toMatch(/does not have the key any more/u);
    });
  },
);
