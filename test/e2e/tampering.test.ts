/** Every byte of the vault file counts: a flipped one is found, and never taken for a wrong passphrase. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { BinaryVault, scenario } from '../support/binary-vault.ts';

const seed = 20_261_122;
const positions = 150;
const workers = 3;

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function numbers(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function damaged(
  vault: BinaryVault,
  flips: readonly { readonly at: number; readonly bit: number }[],
): Promise<string[]> {
  const good = readFileSync(vault.file);
  const wrong: string[] = [];
  for (const { at, bit } of flips) {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
    writeFileSync(vault.file, bytes);
    const verify = await vault.run(['verify']);
    const get = await vault.run(['get', 'canary'], { shows: true });
    const right = get.stdout.toString() === vault.canary.value;
    const where = `byte ${at} bit ${bit}: `;
    if (verify.status !== 7) wrong.push(`${where}verify ${verify.status} ${verify.stderr}`);
    if (!(get.status === 7 ? get.stdout.length === 0 : get.status === 0 && right)) {
      wrong.push(`${where}get ${get.status} ${get.stderr}`);
    }
  }
  writeFileSync(vault.file, good);
  return wrong;
}

describe(`a flipped bit (seed ${seed})`, () => {
  scenario(
    `at each of ${positions} places is found`,
    async (first) => {
      const vaults = [
        first,
        ...(await Promise.all(Array.from({ length: workers - 1 }, async () => BinaryVault.make()))),
      ];
      const next = numbers(seed);
      const wrong = await Promise.all(
        vaults.map(async (vault) => {
          await vault.put('other', 'x', '-e', 'production');
          await vault.put('canary', 'an older value');
          await vault.put('canary', vault.canary.value);
          const { length } = readFileSync(vault.file);
          const flips = Array.from({ length: positions / workers }, () => ({
            at: Math.floor(next() * length),
            bit: Math.floor(next() * 8),
          }));
          const found = await damaged(vault, flips);
          await vault.ok(['verify']);
          vault.expectNoLeak();
          return found;
        }),
      );
      expect(wrong.flat()).toEqual([]);
    },
    120_000,
  );

  scenario('at each line’s first and last byte is found', async (vault) => {
    const text = readFileSync(vault.file, 'latin1');
    const ends = [...text.matchAll(/\n/gu)].map(({ index }) => index);
    const flips = ends
      .flatMap((end) => [
        { at: end, bit: 0 },
        { at: end - 1, bit: 1 },
      ])
      .slice(0, 24);
    expect(await damaged(vault, flips)).toEqual([]);
  });
});

describe('a file', () => {
  scenario('that was cut, lengthened or emptied is found', async (vault) => {
    const good = readFileSync(vault.file);
    const lines = good.toString('latin1').split('\n');
    const shapes: readonly (readonly [string, Buffer])[] = [
      ['empty', Buffer.alloc(0)],
      ['one byte', Buffer.from('{')],
      ['a newline', Buffer.from('\n')],
      ['half', good.subarray(0, good.length / 2)],
      ['without its last byte', good.subarray(0, -1)],
      ['without its last line', Buffer.from(`${lines.slice(0, -2).join('\n')}\n`, 'latin1')],
      ['without its first line', Buffer.from(lines.slice(1).join('\n'), 'latin1')],
      ['with a line twice', Buffer.from([lines[0], ...lines].join('\n'), 'latin1')],
      ['with a newline more', Buffer.concat([good, Buffer.from('\n')])],
      ['with a byte order mark', Buffer.concat([Buffer.from('\u{feff}'), good])],
      ['with Windows line ends', Buffer.from(lines.join('\r\n'), 'latin1')],
      ['twice', Buffer.concat([good, good])],
      ['of zeros', Buffer.alloc(good.length)],
      ['of noise', Buffer.from('{"kind":"vault","format":1,"id":"AAAAAAAAAAAAAAAAAAAAAA"}\n')],
    ];
    for (const [title, bytes] of shapes) {
      writeFileSync(vault.file, bytes);
      for (const args of [['verify'], ['get', 'canary']]) {
        const { status, stdout } = await vault.run(args);
        expect({ title, args, status, stdout: stdout.toString() }).toEqual({
          title,
          args,
          status: 7,
          stdout: '',
        });
      }
    }
    writeFileSync(vault.file, good);
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });

  scenario('of a newer format is named as such, without a passphrase', async (vault) => {
    const text = readFileSync(vault.file, 'utf8').replace('"format":1', '"format":2');
    writeFileSync(vault.file, text);
    const message = await vault.fails(7, ['get', 'canary'], { env: { VAULT_PASSPHRASE: 'wrong' } });
    expect(message).toMatch(/newer/u);
  });
});
