/** An older vault, another vault, and a log that is not what it was: this machine remembers. */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { BinaryVault, passphrase, scenario } from '../support/binary-vault.ts';

const linesOf = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);

function writeLines(file: string, lines: readonly string[]): void {
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
}

describe('an older vault file', () => {
  scenario('is found by get, put and verify, and named with both generations', async (vault) => {
    copyFileSync(vault.file, vault.in('older'));
    const { generation: older } = (await vault.json(['status'])) as { generation: number };
    await vault.put('canary', 'newer');
    await vault.put('canary', 'newest');
    copyFileSync(vault.in('older'), vault.file);
    for (const args of [
      ['get', 'canary'],
      ['ls'],
      ['verify'],
      ['put', 'x', '--generate'],
      ['audit'],
      ['status'],
    ]) {
      const message = await vault.fails(7, args);
      expect(message).toContain(String(older));
      expect(message).toContain(String(older + 2));
    }
    await vault.fails(125, ['exec', '--', 'true']);
    const json = await vault.fails(7, ['get', 'canary', '--json']);
    expect(JSON.parse(json)).toMatchObject({ code: 'ROLLBACK' });
  });

  scenario('can be accepted, on the record', async (vault) => {
    copyFileSync(vault.file, vault.in('older'));
    await vault.put('canary', 'newer');
    copyFileSync(vault.in('older'), vault.file);
    await vault.fails(4, ['verify', '--accept-rollback'], { env: { VAULT_PASSPHRASE: 'wrong' } });
    await vault.fails(7, ['get', 'canary']);
    await vault.ok(['verify', '--accept-rollback']);
    expect(await vault.text('canary')).toBe(vault.canary.value);
    await vault.put('canary', 'goes on');
    await vault.ok(['verify']);
    const entries = (await vault.json(['audit', '--last', '100'])) as { operation: string }[];
    expect(entries.map(({ operation }) => operation)).toContain('replaced');
  });

  scenario('without memory is found by its log alone', async (vault) => {
    copyFileSync(vault.file, vault.in('older'));
    await vault.put('canary', 'newer');
    await vault.put('canary', 'newest');
    copyFileSync(vault.in('older'), vault.file);
    vault.forget();
    const { status, stdout } = await vault.run(['get', 'canary'], { shows: true });
    // Documented: nothing but the log tells, and it cannot say whether the write happened.
    expect([0, 7]).toContain(status);
    if (status === 0) expect(stdout.toString()).toBe(vault.canary.value);
  });

  scenario('by one line: a part of it in the newer file is found', async (vault) => {
    const before = linesOf(vault.file);
    await vault.put('canary', 'newer');
    const now = linesOf(vault.file);
    const kinds = new Set(['header', 'bundle', 'names', 'values', 'block', 'value', 'snapshot']);
    const changed = now.flatMap((line, index) => (line === before[index] ? [] : [index]));
    expect(changed.length).toBeGreaterThan(2);
    for (const index of changed) {
      const kind = (JSON.parse(now[index] ?? '{}') as { kind: string }).kind;
      expect(kinds).toContain(kind);
      writeLines(
        vault.file,
        now.map((line, at) => (at === index ? (before[at] ?? '') : line)),
      );
      // What a read does not rely on, it does not check.
      const { status, stdout } = await vault.run(['get', 'canary']);
      expect([kind, status, stdout.toString()]).toEqual(status === 0 ? [kind, 0, 'newer'] : [kind, 7, '']);
      await vault.fails(7, ['verify']);
    }
    writeLines(vault.file, now);
    await vault.ok(['verify']);
  });

  scenario('by one environment: its part and its shards together are found', async (vault) => {
    await vault.put('p', 'one', '-e', 'production');
    const before = linesOf(vault.file);
    await vault.put('p', 'two', '-e', 'production');
    const now = linesOf(vault.file);
    const parsed = now.map((line) => JSON.parse(line) as { kind: string; environment?: string });
    const { environment } =
      parsed.find((_, index) => now[index] !== before[index] && parsed[index]?.kind === 'values') ?? {};
    expect(environment).toMatch(/^[\w-]{11}$/u);
    const isPart = (line: string): boolean => {
      const { kind, environment: of } = JSON.parse(line) as { kind: string; environment?: string };
      return of === environment && ['names', 'values', 'block', 'value', 'purged'].includes(kind);
    };
    const olderParts = before.filter(isPart);
    const isHead = (line: string): boolean => /^\{"kind":"(?:names|values)"/u.test(line);
    const at = (lines: readonly string[], head: boolean): number =>
      lines.findIndex((line) => isPart(line) && isHead(line) === head);
    const pasted = now.filter((line) => !isPart(line));
    pasted.splice(at(now, true), 0, ...olderParts.filter(isHead));
    pasted.splice(at(now, false), 0, ...olderParts.filter((line) => !isHead(line)));
    writeLines(vault.file, pasted);
    await vault.fails(7, ['get', 'p', '-e', 'production']);
    await vault.fails(7, ['verify']);
    vault.forget();
    await vault.fails(7, ['get', 'p', '-e', 'production']);
  });
});

describe('another vault', () => {
  scenario('in this one’s place is found, also with the same passphrase', async (vault) => {
    const other = await BinaryVault.make();
    copyFileSync(other.file, vault.file);
    const message = await vault.fails(7, ['get', 'canary']);
    expect(message).toMatch(/another vault|different/u);
    await vault.fails(7, ['verify']);
    await vault.fails(7, ['put', 'x', '--generate']);
    copyFileSync(other.log, vault.log);
    await vault.fails(7, ['get', 'canary']);
    expect(passphrase).not.toBe('');
  });

  scenario('is no home for this one’s log', async (vault) => {
    const other = await BinaryVault.make();
    copyFileSync(other.log, vault.log);
    await vault.fails(7, ['get', 'canary']);
    vault.forget();
    await vault.fails(7, ['verify']);
  });
});

describe('the audit log', () => {
  /** What is done to it, and whether `get` sees it too; `verify` always does. */
  const attacks: readonly (readonly [string, boolean, (lines: string[]) => string[]])[] = [
    ['emptied', true, () => []],
    ['without its last record', true, (lines) => lines.slice(0, -1)],
    ['without all but its first', true, (lines) => lines.slice(0, 1)],
    ['without its first record', false, (lines) => lines.slice(1)],
    ['without one of the middle', true, (lines) => lines.filter((_, index) => index !== 4)],
    ['with two swapped', true, ([a = '', b = '', c = '', d = '', ...rest]) => [a, b, d, c, ...rest]],
    ['with a record twice', false, (lines) => [...lines.slice(0, 3), ...lines.slice(2)]],
    ['with its last record twice', true, (lines) => [...lines, lines.at(-1) ?? '']],
    [
      'with its last record edited',
      true,
      (lines) =>
        lines.map((line, index) =>
          index === lines.length - 1 ? line.replace('"ok":true', '"ok":false') : line,
        ),
    ],
    ['with a line of something else', true, (lines) => [...lines, '{}']],
    ['with an empty line', true, (lines) => [...lines, '']],
    [
      'with a failed attempt taken out',
      true,
      (lines) => lines.filter((line) => !line.includes('"op":"unlock"')),
    ],
  ];
  for (const [title, getSees, attack] of attacks) {
    scenario(`${title}: seen by ${getSees ? 'get and verify' : 'verify'}`, async (vault) => {
      await vault.fails(4, ['get', 'canary'], { env: { VAULT_PASSPHRASE: 'wrong' } });
      await vault.text('canary');
      await vault.text('canary');
      const lines = linesOf(vault.log);
      expect(lines.length).toBeGreaterThan(5);
      writeLines(vault.log, attack(lines));
      await vault.fails(7, ['verify']);
      const get = await vault.run(['get', 'canary'], { shows: true });
      expect([get.status, get.stdout.length]).toEqual(getSees ? [7, 0] : [0, vault.canary.value.length]);
    });
  }

  for (const index of [0, 1, 2, 3, 4]) {
    scenario(`with record ${index + 1} edited: named by verify`, async (vault) => {
      for (let count = 0; count < 4; count++) await vault.text('canary');
      const lines = readFileSync(vault.log, 'utf8').split('\n');
      lines[index] = lines[index]?.replace('"ok":true', '"ok":false') ?? '';
      writeFileSync(vault.log, lines.join('\n'));
      const message = await vault.fails(7, ['verify']);
      expect(message).toContain(String(index + 1));
    });
  }

  scenario('that was removed is missed, until its loss is accepted on the record', async (vault) => {
    rmSync(vault.log);
    for (const args of [['get', 'canary'], ['put', 'x', '--generate'], ['verify']]) {
      expect(await vault.fails(7, args)).toMatch(/log/u);
    }
    await vault.ok(['verify', '--accept-rollback']);
    expect(await vault.text('canary')).toBe(vault.canary.value);
    expect(readFileSync(vault.log, 'utf8')).toMatch(/"detail":"lost [\w-]{22} \d+ /u);
  });

  scenario(
    'that was cut within its last record is cut back where memory knows it, else mended',
    async (vault) => {
      const whole = readFileSync(vault.log);
      writeFileSync(vault.log, whole.subarray(0, -10));
      await vault.fails(7, ['get', 'canary']);
      writeFileSync(vault.log, Buffer.concat([whole, Buffer.from('{"log":"half a rec')]));
      expect(await vault.text('canary')).toBe(vault.canary.value);
      await vault.ok(['verify']);
      expect(await vault.json(['audit', '--op', 'torn'])).toHaveLength(1);
    },
  );

  scenario('is not begun anew by a failed attempt', async (vault) => {
    rmSync(vault.log);
    await vault.fails(4, ['get', 'canary'], { env: { VAULT_PASSPHRASE: 'wrong' } });
    await vault.fails(7, ['get', 'canary']);
  });
});
