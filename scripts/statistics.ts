/**
 * `node scripts/statistics.ts`: how long `vault status` of the built binary takes with an audit log of 1,000,000 records, and writes it into
 * docs/metrics.md. The records are made up: counting verifies nothing. Medians of whole processes, side by side; compare them, not the figures.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { SignedRecord } from '../src/format/audit-record.ts';

const root = path.resolve(import.meta.dirname, '..');
const page = path.join(root, 'docs/metrics.md');
const records = 1_000_000;
const rounds = 9;
const folder = mkdtempSync(path.join(os.tmpdir(), 'vault-statistics-'));
const state = path.join(folder, 'state');
const env = {
  PATH: process.env['PATH'] ?? '',
  HOME: folder,
  XDG_STATE_HOME: state,
  VAULT_PASSPHRASE: 'statistics',
};

function vault(args: readonly string[]): { readonly ms: number; readonly output: string } {
  const begun = process.hrtime.bigint();
  const ended = spawnSync(path.join(root, 'dist/vault'), args, { cwd: folder, env, encoding: 'utf8' });
  const ms = Number(process.hrtime.bigint() - begun) / 1e6;
  if (ended.status !== 0) throw new Error(`vault ${args.join(' ')}: ${ended.stderr}`);
  return { ms, output: ended.stdout };
}

/** A vault that unlocks fast. @returns the path of its log */
function makeVault(file: string): string {
  vault(['init', file, '--no-recovery', '--kdf', 'pbkdf2', '--iterations', '100000', '-q']);
  return path.join(folder, `${file}.audit.jsonl`);
}

const operations = ['get', 'get', 'get', 'get', 'exec', 'exec', 'ls', 'put', 'status', 'rotate'];

/** Records like the last one, one after the other, until there are enough. */
function fill(log: string): void {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  const last = JSON.parse(lines.at(-1) ?? '') as SignedRecord;
  const secrets: SignedRecord['secrets'] = [[last.principal, last.prev, 1]];
  const parts = JSON.stringify({ ...last, seq: 0, op: '?', secrets, from: '', to: '' }).split(
    /(?<="seq":)0|(?<="op":")\?/u,
  );
  const [start = '', middle = '', end = ''] = parts;
  const descriptor = openSync(log, 'a');
  let text = '';
  for (let seq = lines.length + 1; seq <= records; seq++) {
    text += `${start}${seq}${middle}${operations[seq % operations.length] ?? ''}${end}\n`;
    if (text.length < 1024 ** 2 && seq < records) continue;
    writeSync(descriptor, text);
    text = '';
  }
  closeSync(descriptor);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function measure(): string {
  const logs = { small: makeVault('small.vault'), large: makeVault('large.vault') };
  fill(logs.large);
  // A machine that has not seen the vault: it would hold all new records against the last one that it knows.
  rmSync(state, { recursive: true });
  const status = (name: string): number => {
    const { ms, output } = vault(['status', '--json', '--vault', `${name}.vault`]);
    const { statistics } = JSON.parse(output) as { statistics: { records: number; unreadable: number } };
    const enough = name === 'small' ? statistics.records < 100 : statistics.records >= records;
    if (!enough || statistics.unreadable > 0) throw new Error(`${name}: ${JSON.stringify(statistics)}`);
    return ms;
  };
  const times: Record<'small' | 'first' | 'next', number[]> = { small: [], first: [], next: [] };
  for (let round = 0; round < rounds; round++) {
    rmSync(path.join(state, 'vault/counts'), { recursive: true, force: true });
    times.first.push(status('large'));
    times.next.push(status('large'));
    times.small.push(status('small'));
  }
  const row = (name: string, key: keyof typeof times): string =>
    `| ${name} | ${median(times[key]).toFixed(0)} |`;
  const megabytes = Math.round(statSync(logs.large).size / 1e6);
  return [
    `\`vault status\` on ${os.cpus().length} cores, whole processes, medians of ${rounds} rounds; unlocking by PBKDF2 with the fewest iterations:`,
    '',
    '| audit log | ms |',
    '|---|---|',
    row('a few records', 'small'),
    row(`1,000,000 records, ${megabytes} MB, counted for the first time`, 'first'),
    row('the same, the next time', 'next'),
    '',
  ].join('\n');
}

const document = readFileSync(page, 'utf8');
const start = '<!-- figures: written by `node scripts/statistics.ts` -->\n';
const from = document.indexOf(start) + start.length;
const to = document.indexOf('<!-- /figures -->');
if (from < start.length || to < from) throw new Error('docs/metrics.md has no place for the figures');
try {
  const figures = measure();
  writeFileSync(page, document.slice(0, from) + figures + document.slice(to));
  process.stdout.write(figures);
} finally {
  rmSync(folder, { recursive: true });
}
