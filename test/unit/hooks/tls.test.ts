/** What makes a connection prove the server, whatever the variables of the process say. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/errors.ts';
import { loginOn, serverOf } from '../../../src/hooks/database.ts';
import { connectionOptions, tlsFrom } from '../../../src/hooks/tls.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const host = 'db.example';
const from = (settings: Readonly<Record<string, string>>) => tlsFrom(host, new Map(Object.entries(settings)));

const optionsBy = (settings: Readonly<Record<string, string>>) => {
  const tls = from(settings);
  return tls === null ? null : connectionOptions(host, tls);
};

function authority(): string {
  const ca = path.join(temporaryFolder(), 'ca.pem');
  writeFileSync(ca, 'certificate');
  return ca;
}

test('what proves says so, and does not leave it to NODE_TLS_REJECT_UNAUTHORIZED', () => {
  const ca = authority();
  for (const settings of [
    {},
    { ca },
    { tls: 'verify-full' },
    { tls: 'verify-ca', ca },
    { tls: 'require', ca },
  ]) {
    expect(optionsBy(settings)).toMatchObject({ rejectUnauthorized: true });
  }
});

test('any authority is none: verify-ca names one', () => {
  expect(() => from({ tls: 'verify-ca' })).toThrow(UsageError);
});

describe('a credential', () => {
  const server = serverOf(
    new Map([
      ['host', host],
      ['roles', 'app'],
    ]),
    'roles',
    5432,
  );
  const login = (members: object): unknown =>
    loginOn(server, Buffer.from(JSON.stringify({ host, username: 'app', password: 'x', ...members })));

  test('begins no other parameter of the session', () => {
    expect(login({ database: 'shop' })).toMatchObject({ username: 'app', database: 'shop' });
    expect(() => login({ database: 'shop\0user\0postgres' })).toThrow(UsageError);
  });
});
