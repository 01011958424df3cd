/** A change is on record before it is in the vault: who goes on reading the log meanwhile waits for both. */
import { expect, test } from 'vitest';
import { putSecret } from '../../../src/vault/operations/put.ts';
import { queryAudit, type AuditAnswer } from '../../../src/vault/operations/audit.ts';
import { makeVault, openWith, placeIn } from '../../support/sample-vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { watchedFileSystem } from '../../support/watched-file-system.ts';

test('a new name is known as soon as its record is seen', async () => {
  const place = placeIn(temporaryFolder());
  const { recoveryKey } = await makeVault(place);
  const reader = await openWith(place, recoveryKey);
  const seen: Promise<AuditAnswer>[] = [];
  const query = { operation: null, principal: null, environment: null, name: null, since: null, until: null };
  const fs = watchedFileSystem(({ call, path }) => {
    if (call !== 'renameSync' || !path.startsWith(place.path) || seen.length > 0) return;
    seen.push(
      reader.goOnWithLog(async (scope) =>
        queryAudit(scope, reader.place, { ...query, last: 1, failed: false }),
      ),
    );
  });
  const writer = await openWith({ ...place, fs }, recoveryKey);
  const value = new Uint8Array([1]);
  await writer.write('put', async (scope) =>
    putSecret(scope, { environment: null, name: 'new', value, operation: 'put' }),
  );
  const [answer] = await Promise.all(seen);
  expect(answer?.entries).toMatchObject([{ operation: 'put', secrets: [{ name: 'new', version: 1 }] }]);
  for (const vault of [reader, writer]) vault.close();
});
