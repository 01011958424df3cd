/**
 * `node scripts/kdf.ts`: measures the two key derivation functions side by side and writes docs/kdf.md. Every round runs each of them
 * once, so that drift of the machine touches all alike; medians are quoted.
 */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { argon2id, defaultArgon2, defaultPbkdf2, stretchPbkdf2, type KdfEngine } from '../src/crypto/kdf.ts';
import { utf8 } from '../src/crypto/bytes.ts';

const file = path.resolve(import.meta.dirname, '../docs/kdf.md');
const rounds = 11;
const salt = new Uint8Array(16);

const engine = (name: KdfEngine, memoryKiB: number) => async (): Promise<unknown> =>
  argon2id(utf8('figure'), salt, { ...defaultArgon2, memoryKiB }, name, 32);
const pbkdf2 = (iterations: number) => async (): Promise<unknown> =>
  stretchPbkdf2(utf8('figure'), salt, iterations);

interface Row {
  readonly name: string;
  readonly memoryMiB: number;
  readonly run: () => Promise<unknown>;
}

const rows: readonly Row[] = [
  { name: 'Argon2id, 64 MiB, 3 passes (default), hash-wasm', memoryMiB: 64, run: engine('wasm', 65_536) },
  { name: 'Argon2id, 64 MiB, 3 passes, the runtime’s own', memoryMiB: 64, run: engine('native', 65_536) },
  { name: 'Argon2id, 256 MiB, 3 passes, the runtime’s own', memoryMiB: 256, run: engine('native', 262_144) },
  { name: 'PBKDF2, 600,000 iterations (default)', memoryMiB: 0, run: pbkdf2(defaultPbkdf2.iterations) },
  { name: 'PBKDF2, 2,000,000 iterations', memoryMiB: 0, run: pbkdf2(2_000_000) },
];

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function measure(): Promise<string> {
  const times = new Map<Row, number[]>(rows.map((row) => [row, []]));
  for (const row of rows) await row.run();
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      const begun = performance.now();
      await row.run();
      times.get(row)?.push(performance.now() - begun);
    }
  }
  const ms = (row: Row): number => median(times.get(row) ?? []);
  const first = rows[0] === undefined ? Number.NaN : ms(rows[0]);
  const lines = rows.map((row) => {
    const own = ms(row);
    const bar = '█'.repeat(Math.max(1, Math.round((own / first) * 20)));
    const memory = row.memoryMiB === 0 ? 'none to speak of' : `${row.memoryMiB} MiB`;
    return `| ${row.name} | ${own.toFixed(0)} | ${(own / first).toFixed(2)} | ${memory} | \`${bar}\` |`;
  });
  return `# What stretches a passphrase

Written by \`node scripts/kdf.ts\`: ${rounds} rounds on ${os.cpus().length} cores, medians. Compare the ratios, not the milliseconds.

| function and parameters | ms a guess here | ratio | memory a guess | |
|---|---|---|---|---|
${lines.join('\n')}

The time is what one guess costs on this machine. What it costs an attacker is another matter: PBKDF2 needs no memory, so a graphics card
runs thousands of guesses side by side; Argon2id needs its memory for each of them, and memory is what such a card has least of. At the same
waiting time Argon2id is therefore the better choice, and the default. PBKDF2 is there for places where only approved functions may be
used: \`vault init --kdf pbkdf2\`, and \`vault policy set kdf.function pbkdf2\` for everybody. \`vault passwd\` moves a PBKDF2 passphrase to
Argon2id unless that policy is set; \`--calibrate MS\` finds parameters for a waiting time.

The bounds on reading and on making are those of [format.md](format.md), section 1.
`;
}

writeFileSync(file, await measure());
