/** A certificate is renewed by a real CA, made by openssl for the test: its end makes it due, and a stored hook asks the CA. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { BinaryVault } from '../support/binary-vault.ts';
import { skipped } from '../support/tools.ts';
import { debianPackages } from '../support/debian-packages.ts';

const missing = await debianPackages({ openssl: ['openssl', 'version'] });

/** A new key, a request of it, and the CA's answer for so many days: what a renewal by a CA's own command looks like. */
const issue = (days: number): string =>
  [
    'set -e',
    'openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout new.key -subj /CN=shop.internal -addext subjectAltName=DNS:shop.internal -out new.csr 2> /dev/null',
    `openssl x509 -req -in new.csr -CA ca.crt -CAkey ca.key -CAcreateserial -copy_extensions copy -days ${days} -out new.crt 2> /dev/null`,
    'cat new.crt new.key',
  ].join('\n');

describe.skipIf(missing !== null)(`a certificate of a local CA${skipped(missing ?? '')}`, () => {
  let vault: BinaryVault;

  beforeAll(async () => {
    vault = await BinaryVault.make();
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = ['-days', '30', '-subj', '/CN=Local CA', '-keyout', 'ca.key', '-out', 'ca.crt'];
    execFileSync('openssl', [...request, ...files], { cwd: vault.folder, stdio: 'ignore' });
    const first = execFileSync('/bin/sh', ['-c', issue(10)], { cwd: vault.folder });
    await vault.ok(['put', 'tls/shop', '--type', 'certificate'], { input: first });
    await vault.put('password', 'x', '--type', 'password');
  });

  const certificate = async (): Promise<X509Certificate> =>
    new X509Certificate((await vault.ok(['get', 'tls/shop'])).stdout);
  const listed = async (...flags: string[]): Promise<string[]> =>
    ((await vault.json(['ls', ...flags])) as { name: string }[]).map(({ name }) => name);

  test('near its end it is listed, and due', async () => {
    expect(await listed('--expiring', '15d')).toEqual(['tls/shop']);
    expect(await listed('--expiring', '5d')).toEqual([]);
    expect(await listed('--due')).toEqual(['tls/shop']);
    const warned = await vault.run(['get', 'tls/shop', '--field', 'subject']);
    expect(warned.stderr).toContain('expires in 10 days');
  });

  test('without a way to make another one it is told, and nothing is lost', async () => {
    const before = (await certificate()).serialNumber;
    const ended = await vault.run(['rotate', '--due', '--json']);
    expect(ended.status).toBe(1);
    expect(JSON.parse(ended.stdout.toString())).toMatchObject({
      results: [{ name: 'tls/shop', version: null }],
    });
    await vault.fails(2, ['rotate', 'tls/shop']);
    expect((await certificate()).serialNumber).toBe(before);
  });

  test('--due has the CA issue another one, which is brought to the server and checked there', async () => {
    const before = await certificate();
    const apply = 'printf %s "$VAULT_NEW_VALUE" > server.pem';
    const check =
      'openssl verify -CAfile ca.crt server.pem > /dev/null && openssl x509 -in server.pem -noout -checkend 3000000 > /dev/null';
    writeFileSync(vault.in('renew'), issue(60));
    await vault.ok(['hook', 'set', 'ca', '--command', 'sh ./renew', '--apply', apply, '--check', check]);
    await vault.ok(['hook', 'use', 'ca', 'tls/shop']);
    await vault.ok(['rotate', '--due']);
    const after = await certificate();
    const authority = new X509Certificate(readFileSync(vault.in('ca.crt')));
    expect([after.verify(authority.publicKey), after.serialNumber === before.serialNumber]).toEqual([
      true,
      false,
    ]);
    expect(readFileSync(vault.in('server.pem'), 'utf8')).toBe(
      (await vault.ok(['get', 'tls/shop'])).stdout.toString(),
    );
    const { expires, due } = (await vault.json(['show', 'tls/shop'])) as { expires: string; due: string };
    expect(Date.parse(expires)).toBe(Date.parse(after.validTo));
    expect(Date.parse(expires) - Date.parse(due)).toBe(30 * 86_400_000);
    expect(await listed('--due')).toEqual([]);
    expect(await listed('--expiring', '15d')).toEqual([]);
  });

  test('an answer that does not pass the check leaves the old one', async () => {
    const before = (await certificate()).serialNumber;
    writeFileSync(vault.in('renew'), issue(1));
    await vault.fails(9, ['rotate', 'tls/shop']);
    writeFileSync(vault.in('renew'), 'exit 1');
    await vault.fails(9, ['rotate', 'tls/shop']);
    expect((await certificate()).serialNumber).toBe(before);
  });

  test('the policy says how near', async () => {
    await vault.ok(['policy', 'set', 'expiry.days', '61']);
    expect(await listed('--due')).toEqual(['tls/shop']);
    await vault.ok(['policy', 'set', 'expiry.days', '0']);
    expect(await listed('--due')).toEqual([]);
    const quiet = await vault.run(['get', 'tls/shop', '--field', 'subject']);
    expect(quiet.stderr).toBe('');
    await vault.ok(['verify']);
    vault.expectNoLeak();
  });
});
