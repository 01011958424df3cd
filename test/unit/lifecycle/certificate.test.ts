/** What is read from certificates, made by the real openssl. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseUtf8, utf8 } from '../../../src/crypto/bytes.ts';
import { certificateExpiry, certificateField } from '../../../src/lifecycle/certificate.ts';
import { listInfo, type ListOptions } from '../../../src/vault/operations/list.ts';
import { showSecret } from '../../../src/vault/operations/history.ts';
import { attempt, failureOf } from '../../support/failure.ts';
import { get, makeVault, placeIn, put, withVault } from '../../support/sample-vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { lacking, skipped } from '../../support/tools.ts';

const reason = lacking('openssl');
const everything: ListOptions = {
  environment: null,
  allEnvironments: false,
  pattern: null,
  removed: false,
  type: null,
  tags: new Map(),
  expiringBefore: null,
  expired: false,
  due: false,
};

describe.skipIf(reason !== '')(`certificates${skipped(reason)}`, () => {
  let folder: string;
  const at = (name: string): string => path.join(folder, name);
  const pem = (name: string): string => readFileSync(at(name), 'utf8');
  const openssl = (...args: readonly string[]): string =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }).toString();

  /** A certificate for a key of its own, by a local CA; from 2026-01-01 on, for so many days. */
  function issue(name: string, subject: string, names: string, days: number): void {
    openssl(
      'req',
      '-new',
      '-utf8',
      '-newkey',
      'ed25519',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      subject,
    );
    writeFileSync(at(`${name}.ext`), `subjectAltName=${names}\n`);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-extfile', `${name}.ext`];
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...by,
      '-days',
      String(days),
      '-set_serial',
      '4711',
      '-out',
      `${name}.pem`,
    );
  }

  /** As openssl tells it. */
  const told = (name: string, what: string): string =>
    openssl('x509', '-in', `${name}.pem`, '-noout', what).trim();

  beforeAll(() => {
    folder = temporaryFolder();
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ed25519',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=Test CA',
      '-days',
      '3650',
    );
    issue(
      'site',
      '/O=Größe/CN=site.example',
      'DNS:site.example,DNS:*.site.example,IP:192.0.2.1,email:a@site.example',
      90,
    );
    issue('next', '/CN=site.example', 'DNS:site.example', 200);
  });

  const field = (value: string, name: string): string => parseUtf8(certificateField(utf8(value), name));

  test('fields are those that openssl tells', () => {
    const value = pem('site.pem');
    expect(field(value, 'names').split('\n')).toEqual([
      'DNS:site.example',
      'DNS:*.site.example',
      'IP Address:192.0.2.1',
      'email:a@site.example',
    ]);
    expect(field(value, 'subject')).toContain('CN=site.example');
    expect(field(value, 'subject')).toContain('Größe');
    expect(field(value, 'issuer')).toBe('CN=Test CA');
    expect(BigInt(`0x${field(value, 'serial')}`)).toBe(4711n);
    expect(told('site', '-serial')).toContain(field(value, 'serial'));
    expect(`sha256 Fingerprint=${field(value, 'fingerprint')}`).toBe(
      openssl('x509', '-in', 'site.pem', '-noout', '-fingerprint', '-sha256').trim(),
    );
    const ends = new Date(told('site', '-enddate').replace('notAfter=', ''));
    expect(field(value, 'expires')).toBe(ends.toISOString());
    expect(certificateExpiry(utf8(value))).toEqual(ends);
    expect(Date.parse(field(value, 'expires')) - Date.parse(field(value, 'starts'))).toBe(90 * 86_400_000);
  });

  test('of several the first counts, wherever the key stands', () => {
    const ends = certificateExpiry(utf8(pem('site.pem')));
    for (const value of [
      pem('site.pem') + pem('ca.pem'),
      pem('site.key') + pem('site.pem') + pem('ca.pem'),
      pem('site.pem').replaceAll('\n', '\r\n'),
      `Bag Attributes\n  friendlyName: x\n${pem('site.pem')}`,
    ])
      expect(certificateExpiry(utf8(value))).toEqual(ends);
  });

  test('what is none has no fields, and says no value', async () => {
    const damaged = pem('site.pem').replace(/^[A-Za-z0-9+/]{10}/mu, 'AAAAAAAAAA');
    for (const value of [pem('site.key'), 'canary', '', damaged]) {
      expect(certificateExpiry(utf8(value))).toBeNull();
      const error = await failureOf(() => field(value, 'subject'));
      expect([error.exitCode, error.code]).toEqual([3, 'FIELD_NOT_FOUND']);
      expect(error.message).not.toContain('canary');
    }
    expect((await failureOf(() => field(pem('site.pem'), 'constructor'))).code).toBe('FIELD_NOT_FOUND');
  });

  test('a stored certificate expires when it says so; a new one moves that; what a person says counts more', async () => {
    const sample = await makeVault(placeIn(temporaryFolder()));
    const expiryOf = (name: string): string => certificateExpiry(utf8(pem(name)))?.toISOString() ?? '';
    await withVault(sample, async (vault) => {
      const metadata = { type: 'certificate' } as const;
      const stored = async (options: Parameters<typeof put>[3]): Promise<string | null> => {
        await put(vault, 'tls', pem('site.pem') + pem('site.key'), options);
        return expires();
      };
      const expires = async (): Promise<string | null> =>
        vault.read('show', async (scope) => (await showSecret(scope, null, 'tls')).info.expires);
      expect(await stored({ metadata })).toBe(expiryOf('site.pem'));
      await put(vault, 'tls', pem('next.pem'), { operation: 'rotate' });
      expect(await expires()).toBe(expiryOf('next.pem'));
      expect(await stored({ metadata: { expires: new Date('2031-01-01T00:00:00Z') } })).toBe(
        '2031-01-01T00:00:00.000Z',
      );
      expect(await stored({ metadata: { expires: null } })).toBeNull();
      expect(await get(vault, 'tls')).toContain('BEGIN PRIVATE KEY');
    });
  });

  test('its end drives what ls lists as expiring, and as due, without any interval', async () => {
    const ends = Date.parse(certificateExpiry(utf8(pem('site.pem')))?.toISOString() ?? '');
    let now = ends - 60 * 86_400_000;
    const sample = await makeVault(placeIn(temporaryFolder(), { now: () => new Date(now) }));
    await withVault(sample, async (vault) => {
      await put(vault, 'tls', pem('site.pem'), { metadata: { type: 'certificate' } });
      await put(vault, 'token', 'x', { metadata: { type: 'token', expires: new Date(ends) } });
      const listed = async (wanted: Partial<ListOptions>): Promise<string[]> => {
        const all = await vault.read('ls', async (scope) => listInfo(scope, { ...everything, ...wanted }));
        return all.map(({ name }) => name);
      };
      const within = async (days: number): Promise<string[]> =>
        listed({ expiringBefore: new Date(now + days * 86_400_000) });
      expect([await within(59), await within(60), await listed({ due: true })]).toEqual([
        [],
        ['tls', 'token'],
        [],
      ]);
      now = ends - 30 * 86_400_000;
      expect([await within(29), await within(30), await listed({ due: true })]).toEqual([
        [],
        ['tls', 'token'],
        ['tls'],
      ]);
      now = ends;
      expect([await listed({ expired: true }), await listed({ due: true })]).toEqual([
        ['tls', 'token'],
        ['tls'],
      ]);
    });
  });

  test('one whose end is no time has no end, and no fields', () => {
    openssl('x509', '-in', 'ca.pem', '-outform', 'DER', '-out', 'odd.der');
    const bytes = readFileSync(at('odd.der'));
    // The second UTCTime (tag 0x17, 13 bytes) is the end: the thirty-ninth day of a month.
    const first = bytes.indexOf(Buffer.from([0x17, 13]));
    const second = bytes.indexOf(Buffer.from([0x17, 13]), first + 1);
    bytes.write('39', second + 2 + 4, 'latin1');
    const odd = `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64')}\n-----END CERTIFICATE-----\n`;
    expect(certificateExpiry(utf8(odd))).toBeNull();
    expect(attempt(() => certificateField(utf8(odd), 'expires'))).toMatchObject({ code: 'FIELD_NOT_FOUND' });
  });
});
