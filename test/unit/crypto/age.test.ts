/** The key of an `age` slot: to one post-quantum recipient and back, and everything else refused. docs/format.md section 8. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  Encrypter,
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import { openAge, sealToAge } from '../../../src/crypto/age.ts';
import { utf8, type Bytes } from '../../../src/crypto/bytes.ts';
import { encodeAgeHint, parseAgeHint } from '../../../src/format/age-hint.ts';
import { readAgeFile } from '../../support/age-reader.ts';
import { failureOf } from '../../support/failure.ts';
import { systemRandom } from '../../support/sample-vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

interface Pair {
  readonly identity: string;
  readonly recipient: string;
}

async function pair(generate: () => Promise<string>): Promise<Pair> {
  const identity = await generate();
  return { identity, recipient: await identityToRecipient(identity) };
}

let mine: Pair;
let other: Pair;
let old: Pair;
let secret: Bytes;
let file: Bytes;

beforeAll(async () => {
  mine = await pair(generateHybridIdentity);
  other = await pair(generateHybridIdentity);
  old = await pair(generateX25519Identity);
  secret = systemRandom(32);
  file = await sealToAge(mine.recipient, secret);
});

/** What anybody with the package could put into a vault. */
async function foreignFile(message: Uint8Array, ...recipients: readonly string[]): Promise<Bytes> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return Uint8Array.from(await encrypter.encrypt(message));
}

describe('sealToAge and openAge', () => {
  test('give back what was sealed, and do not touch it', async () => {
    const before = secret.slice();
    expect(await openAge(mine.identity, file)).toEqual({ secret: before, identity: mine.identity });
    expect(secret).toEqual(before);
  });

  test('seal anew each time, in a size that fits a hint', async () => {
    const again = await sealToAge(mine.recipient, secret);
    expect(again).not.toEqual(file);
    expect(Buffer.from(file).includes(secret)).toBe(false);
    const hint = encodeAgeHint({ recipient: mine.recipient, file });
    expect(hint.length).toBeLessThan(8_192);
    expect(parseAgeHint(hint)).toEqual({ recipient: mine.recipient, file });
  });

  test('a reader made of other primitives opens it', () => {
    expect(readAgeFile(mine.identity, file)).toEqual(Buffer.from(secret));
    expect(() => readAgeFile(other.identity, file)).toThrow(/authenticat/iu);
  });

  test('`null` for somebody else’s file', async () => {
    expect(await openAge(other.identity, file)).toBeNull();
    expect(await openAge(old.identity, file)).toBeNull();
  });

  test('identity files have comments, empty lines and several identities', async () => {
    const lines = ['# created: today', `# public key: ${other.recipient}`, other.identity, '', old.identity];
    for (const end of ['\n', '\r\n']) {
      const without = lines.join(end);
      expect(await openAge(without, file)).toBeNull();
      expect(await openAge(`${without}${end}${mine.identity}${end}`, file)).toEqual({
        secret,
        identity: mine.identity,
      });
    }
  });
});

describe('an age file that is not what a slot keeps is malformed', () => {
  const cases: Record<string, () => Promise<Bytes>> = {
    'nothing at all': async () => Promise.resolve(new Uint8Array(0)),
    'some text': async () => Promise.resolve(utf8('hello')),
    'cut in the header': async () => Promise.resolve(file.slice(0, 900)),
    'cut in the payload': async () => Promise.resolve(file.slice(0, -1)),
    'with something after it': async () => Promise.resolve(Uint8Array.of(...file, 0)),
    'of 31 bytes': async () => foreignFile(new Uint8Array(31), mine.recipient),
    'of 33 bytes': async () => foreignFile(new Uint8Array(33), mine.recipient),
    'to X25519 alone': async () => foreignFile(secret, old.recipient),
    'to X25519 besides': async () => foreignFile(secret, mine.recipient, old.recipient),
    'to somebody else besides': async () => foreignFile(secret, mine.recipient, other.recipient),
    'to a passphrase': async () => {
      const encrypter = new Encrypter();
      encrypter.setScryptWorkFactor(4);
      encrypter.setPassphrase('x');
      return Uint8Array.from(await encrypter.encrypt(secret));
    },
  };
  test.each(Object.entries(cases))('%s', async (_, make) => {
    const failure = await failureOf(openAge(`${mine.identity}\n${old.identity}`, await make()));
    expect(failure).toMatchObject({ name: 'EncryptionError', exitCode: 7 });
  });

  test('longer than any', async () => {
    const failure = await failureOf(openAge(mine.identity, new Uint8Array(4_097)));
    expect(failure).toMatchObject({ name: 'EncryptionError', message: 'the age file is too long' });
  });
});

describe('an identity file that cannot be used is a failed unlock, and is not quoted', () => {
  const refused: Record<string, readonly [text: () => string, says: RegExp]> = {
    empty: [() => '', /no identity/u],
    'only comments': [() => '# nothing\n\n', /no identity/u],
    'a recipient': [() => mine.recipient, /line 1/u],
    mistyped: [
      () => `#\n${mine.identity.slice(0, -1)}${mine.identity.endsWith('Q') ? 'P' : 'Q'}`,
      /line 2 .*mistyped/u,
    ],
    cut: [() => mine.identity.slice(0, -3), /line 1 .*mistyped/u],
    'in lower case': [() => mine.identity.toLowerCase(), /line 1/u],
    indented: [() => ` ${mine.identity}`, /line 1/u],
    'with more after it': [() => `${mine.identity} #mine`, /line 1/u],
    'of a plugin': [() => `${mine.identity}\nAGE-PLUGIN-YUBIKEY-1QQPQ6`, /plugin in line 2/u],
    encrypted: [() => 'age-encryption.org/v1\n-> scrypt …', /encrypted/u],
    'encrypted, in armour': [() => '-----BEGIN AGE ENCRYPTED FILE-----\nYWdl', /encrypted/u],
    'of SSH': [() => '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl', /SSH/u],
    endless: [() => '#'.repeat(70_000), /too long/u],
  };
  test.each(Object.entries(refused))('%s', async (_, [text, says]) => {
    const failure = await failureOf(openAge(text(), file));
    expect(failure).toMatchObject({ name: 'UnlockError', exitCode: 4 });
    expect(failure.message).toMatch(says);
    const shown = `${failure.message} ${failure.hint} ${String(failure.cause)}`;
    expect(shown).not.toContain(mine.identity.slice(20, 40));
  });
});

describe('a recipient that is not post-quantum, or none at all, is a mistake in the command', () => {
  const refused: Record<string, readonly [text: () => string, says: RegExp]> = {
    X25519: [() => old.recipient, /not post-quantum/u],
    'of a plugin': [
      () => 'age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt',
      /plugin/u,
    ],
    'post-quantum, of a plugin': [() => 'age1tagpq1qqqq', /plugin/u],
    SSH: [() => 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI', /not an age recipient/u],
    'the identity': [() => mine.identity, /secret/u],
    empty: [() => '', /not an age recipient/u],
    mistyped: [() => mine.recipient.replace(/.$/u, (last) => (last === 'q' ? 'p' : 'q')), /mistyped/u],
    cut: [() => mine.recipient.slice(0, 1_000), /mistyped/u],
    'in upper case': [() => mine.recipient.toUpperCase(), /not an age recipient|secret/u],
    'with a blank': [() => `${mine.recipient} `, /mistyped/u],
  };
  test.each(Object.entries(refused))('%s', async (_, [text, says]) => {
    const failure = await failureOf(sealToAge(text(), secret));
    expect(failure).toMatchObject({ name: 'UsageError', exitCode: 2 });
    expect(failure.message).toMatch(says);
    expect(`${failure.message} ${failure.hint}`).not.toContain(mine.identity.slice(20, 40));
  });

  test('and so is a secret of another length', async () => {
    for (const length of [0, 31, 33])
      await expect(sealToAge(mine.recipient, new Uint8Array(length))).rejects.toThrow(RangeError);
  });
});

describe('the hint of an age slot', () => {
  test('has one spelling', async () => {
    const hint = encodeAgeHint({ recipient: mine.recipient, file });
    const bad = [
      '',
      mine.recipient,
      `${mine.recipient} `,
      `${mine.recipient} A`,
      ` ${hint}`,
      `${hint}\n`,
      hint.replace(' ', '  '),
      `${hint}=`,
      hint.replace('age1pq1', 'age1'),
      hint.replace('age1pq1', 'age1pq1b'),
      hint.replace(mine.recipient, mine.recipient.toUpperCase()),
      encodeAgeHint({ recipient: old.recipient, file }),
    ];
    for (const text of bad)
      expect(await failureOf(() => parseAgeHint(text))).toMatchObject({ code: 'INTEGRITY' });
  });
});

/** Why the program `age` cannot be held against ours; `''` if it can. */
function ageIsTooOld(): string {
  const { status, stdout } = spawnSync('age', ['--version'], { encoding: 'utf8' });
  if (status !== 0) return 'there is no program age';
  const [major = 0, minor = 0] = stdout.replace(/^v/u, '').split('.').map(Number);
  return major > 1 || minor >= 3 ? '' : `age ${stdout.trim()} knows no post-quantum recipients, 1.3 does`;
}

const tooOld = ageIsTooOld();

describe.skipIf(tooOld !== '')(`the program age${tooOld === '' ? '' : ` (SKIPPED: ${tooOld})`}`, () => {
  test('opens what we seal, and seals what we open', async () => {
    const folder = temporaryFolder();
    const identityFile = path.join(folder, 'identity');
    execFileSync('age-keygen', ['-pq', '-o', identityFile]);
    const recipient = execFileSync('age-keygen', ['-y', identityFile], { encoding: 'utf8' }).trim();
    const identity = execFileSync('cat', [identityFile], { encoding: 'utf8' });
    writeFileSync(path.join(folder, 'ours'), await sealToAge(recipient, secret));
    expect(execFileSync('age', ['-d', '-i', identityFile, path.join(folder, 'ours')])).toEqual(
      Buffer.from(secret),
    );
    const theirs = execFileSync('age', ['-e', '-r', recipient], { input: secret });
    expect(await openAge(identity, Uint8Array.from(theirs))).toMatchObject({ secret });
  });
});
