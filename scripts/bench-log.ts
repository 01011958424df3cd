/** A vault with an audit log of a million records, and what one record costs. */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { makeRecord, recordDigest } from '../src/audit/record.ts';
import { utf8 } from '../src/crypto/bytes.ts';
import { parseToken } from '../src/format/key-text.ts';
import { acquireLock } from '../src/storage/lock.ts';
import { realFileSystem, type FileSystem } from '../src/storage/file-system.ts';
import { logPathBeside, type Place } from '../src/vault/place.ts';
import { Vault } from '../src/vault/vault.ts';

function placeAt(path: string, fs: FileSystem): Place {
  return {
    fs,
    path,
    audit: { type: 'file', path: logPathBeside(path) },
    stateFolder: null,
    now: () => new Date(),
    monotonic: () => performance.now(),
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    kdfEngine: 'native',
    context: { user: 'ada', host: 'engine', address: '', program: 'bench', session: '' },
    holder: 'bench',
    lockWaitMs: 10_000,
    acquireLock,
    warn: () => undefined,
  };
}

async function openByToken(path: string, token: string, fs: FileSystem): Promise<Vault> {
  const parts = parseToken(token);
  if (parts === null) throw new Error('no token');
  const credentials = async (): Promise<null> => Promise.resolve(null);
  return Vault.open(placeAt(path, fs), { token: { type: 'token', ...parts }, credentials, principal: null });
}

/**
 * Make a log as long as that: the last record is signed, and follows the one before it; those between are of the right shape alone, as
 * nobody looks at them who reads from the end.
 */
export async function lengthenLog(path: string, token: string, records: number): Promise<void> {
  const vault = await openByToken(path, token, realFileSystem);
  const log = logPathBeside(path);
  const first = readFileSync(log, 'utf8').split('\n', 1)[0] ?? '';
  const record = JSON.parse(first) as Parameters<typeof makeRecord>[2] & { sig: string };
  const { sig, ...unsigned } = record;
  const descriptor = openSync(log, 'w', 0o600);
  writeSync(descriptor, `${first}\n`);
  let lines: string[] = [];
  let line = '';
  for (let seq = 2; seq < records; seq++) {
    line = JSON.stringify({ ...unsigned, seq, op: 'get', from: '', prev: record.log.padEnd(43, 'A'), sig });
    lines.push(line);
    if (lines.length < 10_000 && seq + 1 < records) continue;
    writeSync(descriptor, `${lines.join('\n')}\n`);
    lines = [];
  }
  closeSync(descriptor);
  const prev = await recordDigest(vault.authority.domain, utf8(line));
  const { principal, signing } = vault.identity;
  const last = await makeRecord(vault.authority.domain, signing, {
    ...unsigned,
    seq: records,
    time: new Date().toISOString(),
    op: 'get',
    principal,
    from: vault.document.snapshot.value.head,
    prev,
  });
  writeFileSync(log, `${Buffer.from(last.raw).toString()}\n`, { flag: 'a' });
  vault.close();
}

/** Milliseconds of one record beside its flush: signed, appended, remembered nowhere. */
export async function recordMs(path: string, token: string, count: number): Promise<number> {
  const vault = await openByToken(path, token, { ...realFileSystem, fsyncSync: () => undefined });
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const begun = performance.now();
    await vault.read('bench', async () => Promise.resolve());
    times.push(performance.now() - begun);
  }
  vault.close();
  return times.sort((a, b) => a - b)[Math.floor(count / 2)] ?? Number.NaN;
}
