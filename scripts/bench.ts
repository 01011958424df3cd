/**
 * Whole commands of the built binary, side by side in one run: every round runs each of them once, so that drift of the machine
 * touches all alike. Medians and ratios; the gates at the end decide the exit status.
 *
 *   npm run bench            15 rounds
 *   npm run bench -- 40      40 rounds
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { lengthenLog, recordMs } from './bench-log.ts';
import { buildBinary } from './binary.ts';

const root = path.resolve(import.meta.dirname, '..');
const vault = path.join(root, 'dist', 'vault');
const floor = path.join(root, 'dist', 'bench-floor');
const rounds = Number(process.argv[2] ?? 15);
const folder = mkdtempSync(path.join(os.tmpdir(), 'vault-bench-'));
const base = {
  PATH: process.env['PATH'] ?? '',
  HOME: folder,
  XDG_STATE_HOME: path.join(folder, 'state'),
  VAULT_PASSPHRASE: 'bench',
};

interface Case {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

interface Outcome {
  readonly ms: number;
  readonly output: string;
}

function run(one: Case): Outcome {
  const begun = process.hrtime.bigint();
  const result = spawnSync(one.command, one.args, {
    cwd: folder,
    env: { ...base, ...one.env },
    input: one.input ?? '',
  });
  const ms = Number(process.hrtime.bigint() - begun) / 1e6;
  if (result.status !== 0)
    throw new Error(`${one.name}: status ${String(result.status)}: ${String(result.stderr)}`);
  return { ms, output: String(result.stdout).trim() };
}

function inVault(name: string, file: string, args: readonly string[], more: Partial<Case> = {}): Case {
  return { name, command: vault, args: [...args, '--vault', file], ...more };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** A vault of 100 principals and 20 environments. @returns the token of one in the middle */
function makeCompany(file: string, secret: string): string {
  const environments = Array.from({ length: 20 }, (_, i) => `e${i + 1}`);
  prepare('init', [
    'init',
    file,
    '--no-recovery',
    '--kdf',
    'pbkdf2',
    '--environments',
    environments.join(','),
  ]);
  const tokens = Array.from({ length: 99 }, (_, i) => {
    const two = `e1,${environments[1 + (i % 19)]}`;
    const rights = ['--can', 'read,write', '--env', two, '--token', '--vault', file];
    return prepare('access add', ['access', 'add', `p${i}`, ...rights]);
  });
  // Every part is written after all are there, so that each has seen all others.
  for (const environment of environments) {
    const put = ['put', secret, '--env', environment];
    run({ ...inVault('put', file, put), input: 'value' });
  }
  return tokens[50] ?? '';
}

const prepare = (name: string, args: readonly string[]): string => run({ name, command: vault, args }).output;

/**
 * The key derivation by itself: a process of the same runtime that does nothing else, to be compared with one that does nothing. So it
 * counts what it costs to give its memory back, as it does in a command.
 */
function runtime(name: string, code: string): Case {
  return { name, command: process.execPath, args: ['--input-type=module', '-e', code] };
}

const wasm = JSON.stringify(path.join(root, 'node_modules/hash-wasm/dist/index.esm.min.js'));
const wasmCode = `const { argon2id } = await import(${wasm}); await argon2id({ password: 'bench', salt: new Uint8Array(16), parallelism: 1, iterations: 3, memorySize: 65536, hashLength: 32, outputType: 'binary' });`;
const nativeCode = `const { argon2Sync } = await import('node:crypto'); argon2Sync('argon2id', { message: Buffer.from('bench'), nonce: Buffer.alloc(16), parallelism: 1, tagLength: 32, memory: 65536, passes: 3 });`;
const pbkdf2Code = `const k = await crypto.subtle.importKey('raw', Buffer.from('bench'), 'PBKDF2', false, ['deriveBits']); await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: new Uint8Array(16), iterations: 600000 }, k, 256);`;

try {
  if (!existsSync(vault)) throw new Error('build it first: npm run build');
  await buildBinary({
    entry: path.join(root, 'scripts/bench-floor/floor.ts'),
    output: floor,
    snapshot: false,
  });
  for (const [count, kdf] of [
    [1, 'argon2id'],
    [100, 'argon2id'],
    [10_000, 'argon2id'],
    [0, 'pbkdf2'],
  ] as const) {
    const file = count === 0 ? 'p.vault' : `${count}.vault`;
    prepare('init', ['init', file, '--no-recovery', '--kdf', kdf]);
    const secrets = Object.fromEntries(
      Array.from({ length: count || 1 }, (_, i) => [`service/${i}/password`, `value-${i}`]),
    );
    writeFileSync(path.join(folder, 'import.json'), JSON.stringify(secrets));
    prepare('import', ['import', 'import.json', '--vault', file]);
  }
  const name = 'service/0/password';
  const byToken = {
    env: { VAULT_ACCESS_TOKEN: prepare('slot add', ['slot', 'add', '--token', '--vault', '1.vault']) },
  };
  const inCompany = { env: { VAULT_ACCESS_TOKEN: makeCompany('100-principals.vault', name) } };
  const token = prepare('slot add', ['slot', 'add', '--token', '--vault', '100.vault']);
  const longLog = { env: { VAULT_ACCESS_TOKEN: token, XDG_STATE_HOME: path.join(folder, 'other-state') } };
  const perRecord = await recordMs(path.join(folder, '100.vault'), token, 200);
  await lengthenLog(path.join(folder, '100.vault'), token, 1_000_000);
  const native = { env: { VAULT_KDF_ENGINE: 'native' } };
  const cases: Case[] = [
    { name: 'floor', command: floor, args: [] },
    { name: 'version', command: vault, args: ['--version'] },
    runtime('runtime alone', ''),
    runtime('runtime, Argon2id (hash-wasm)', wasmCode),
    runtime('runtime, Argon2id (native)', nativeCode),
    runtime('runtime, PBKDF2', pbkdf2Code),
    inVault('get by token', '1.vault', ['get', name], byToken),
    inVault('get by token, 100 principals', '100-principals.vault', ['get', name, '--env', 'e1'], inCompany),
    inVault('audit --last 100 of 1,000,000', '100.vault', ['audit', '--last', '100'], longLog),
    inVault('get, 1 secret', '1.vault', ['get', name]),
    inVault('get, 1 secret, native', '1.vault', ['get', name], native),
    inVault('get, PBKDF2', 'p.vault', ['get', name]),
    inVault('get, 10,000 secrets, native', '10000.vault', ['get', name], native),
    inVault('put, native', '1.vault', ['put', 'new'], { ...native, input: 'value' }),
    {
      ...inVault('exec true, native', '1.vault', [], native),
      args: ['exec', '--vault', '1.vault', '--', 'true'],
    },
    inVault('ls, 10,000 secrets, native', '10000.vault', ['ls'], native),
  ];
  const times = new Map<string, number[]>(cases.map((one) => [one.name, []]));
  for (const one of cases) run(one);
  for (let round = 0; round < rounds; round++)
    for (const one of cases) times.get(one.name)?.push(run(one).ms);
  const ms = (case_: string): number => median(times.get(case_) ?? []);
  process.stdout.write(`${rounds} rounds, ${os.cpus().length} cores; ms: least, median, greatest\n`);
  for (const [label, all] of times) {
    const figures = [Math.min(...all), median(all), Math.max(...all)].map((value) =>
      value.toFixed(1).padStart(8),
    );
    process.stdout.write(`${label.padEnd(34)}${figures.join('')}\n`);
  }
  const rest = (get: string, kdf: string): number =>
    ms(get) - ms('version') - (ms(kdf) - ms('runtime alone'));
  // Round by round: a busy machine slows both.
  const ratio = (one: string, other: string): number => {
    const others = times.get(other) ?? [];
    return median((times.get(one) ?? []).map((value, round) => value / (others[round] ?? Number.NaN)));
  };
  const gates: [string, number, number][] = [
    ['--version against the floor, ratio', ratio('version', 'floor'), 1.4],
    ['get by token against the floor, ratio', ratio('get by token', 'floor'), 1.4],
    [
      'get beside start and key derivation (hash-wasm), ms',
      rest('get, 1 secret', 'runtime, Argon2id (hash-wasm)'),
      15,
    ],
    [
      'get beside start and key derivation (native), ms',
      rest('get, 1 secret, native', 'runtime, Argon2id (native)'),
      15,
    ],
    ['get beside start and key derivation (PBKDF2), ms', rest('get, PBKDF2', 'runtime, PBKDF2'), 15],
    [
      '100 principals and 20 environments add to get by token, ms',
      ms('get by token, 100 principals') - ms('get by token'),
      5,
    ],
    ['an audit record beside its flush, ms', perRecord, 2],
    [
      'audit --last 100 of 1,000,000 records beside the bare start, ms',
      ms('audit --last 100 of 1,000,000') - ms('version'),
      50,
    ],
    ['10,000 secrets add to get, ms', ms('get, 10,000 secrets, native') - ms('get, 1 secret, native'), 15],
  ];
  for (const [what, found, most] of gates) {
    process.stdout.write(
      `${found <= most ? 'ok  ' : 'OVER'} ${what}: ${found.toFixed(2)} (at most ${most})\n`,
    );
    if (found > most) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
