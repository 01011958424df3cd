/** What goes in comes out, byte for byte, under any name. */
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { scenario } from '../support/binary-vault.ts';

describe('values', () => {
  scenario('a NUL and a byte that is no UTF-8', async (vault) => {
    const { stdout } = await vault.shell(
      String.raw`printf 's3cr3t\0\xff' | $VAULT put x --exact && $VAULT get x`,
    );
    expect(stdout.toString('hex')).toBe(Buffer.from('s3cr3t\0\xff', 'latin1').toString('hex'));
  });

  const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const exact: readonly (readonly [string, Uint8Array])[] = [
    ['nothing at all', new Uint8Array()],
    ['one NUL', new Uint8Array(1)],
    ['every byte', everyByte],
    ['a newline alone', Buffer.from('\n')],
    ['lines that end in CR LF', Buffer.from('a\r\nb\r\n')],
    ['a byte order mark', Buffer.from('\u{feff}text')],
    ['60 bytes, at the edge of a padding bucket', Buffer.alloc(60, 'x')],
    ['28 bytes', Buffer.alloc(28, 'x')],
    ['29 bytes', Buffer.alloc(29, 'x')],
    ['65,536 bytes', Buffer.alloc(65_536, 'y')],
    ['a MiB of noise', randomBytes(1024 ** 2)],
  ];
  scenario('come back exact with --exact', async (vault) => {
    for (const [title, value] of exact) {
      await vault.put('x', value);
      expect((await vault.get('x')).equals(value), title).toBe(true);
    }
    const { versions } = (await vault.json(['history', 'x'])) as { versions: unknown[] };
    expect(versions).toHaveLength(exact.length);
  });

  scenario('of 16 MiB are taken, and one byte more is refused', async (vault) => {
    const most = randomBytes(16 * 1024 ** 2);
    await vault.put('large', most);
    expect((await vault.get('large')).equals(most)).toBe(true);
    const more = Buffer.concat([most, Buffer.from('x')]);
    await vault.fails(2, ['put', 'larger', '--exact'], { input: more });
    writeFileSync(vault.in('more'), more);
    await vault.fails(2, ['put', 'larger', '--file', 'more']);
    await vault.fails(3, ['get', 'larger']);
  });

  scenario('from a pipe lose one final newline if they are one line of text', async (vault) => {
    const cases: readonly (readonly [string, string])[] = [
      ['one line\n', 'one line'],
      ['one line\r\n', 'one line'],
      ['one line', 'one line'],
      ['ends twice\n\n', 'ends twice\n\n'],
      ['two\nlines\n', 'two\nlines\n'],
      ['\0 is no text\n', '\0 is no text\n'],
      ['\rmiddle', '\rmiddle'],
    ];
    for (const [given, stored] of cases) {
      await vault.ok(['put', 'x'], { input: given });
      expect(await vault.text('x'), JSON.stringify(given)).toBe(stored);
    }
  });

  scenario('of nothing over something are refused without --exact', async (vault) => {
    await vault.put('x', 'something');
    const message = await vault.fails(2, ['put', 'x'], { input: '' });
    expect(message).toContain('--exact');
    expect(message).not.toContain('something');
    await vault.fails(2, ['put', 'x'], { input: '\n' });
    await vault.fails(2, ['put', 'x']);
    expect(await vault.text('x')).toBe('something');
    await vault.put('x', '');
    expect(await vault.text('x')).toBe('');
  });

  scenario('come from a file as they are', async (vault) => {
    const pem = '-----BEGIN KEY-----\nabc\n-----END KEY-----\n';
    writeFileSync(vault.in('one'), 'one line\n');
    writeFileSync(vault.in('pem'), pem);
    await vault.ok(['put', 'one', '--file', 'one']);
    await vault.ok(['put', 'pem', '--file', vault.in('pem')]);
    await vault.ok(['put', 'dash', '--file', '-'], { input: 'line\n' });
    expect(await vault.text('one')).toBe('one line\n');
    expect(await vault.text('pem')).toBe(pem);
    expect(await vault.text('dash')).toBe('line');
    await vault.fails(3, ['put', 'x', '--file', 'absent']);
    await vault.fails(9, ['put', 'x', '--file', '.']);
  });

  scenario('go to a file that only its owner reads', async (vault) => {
    const file = vault.asked(vault.in('out'));
    const { stdout } = await vault.ok(['get', 'canary', '--out', 'out']);
    expect(stdout.toString()).toBe('');
    expect(readFileSync(file, 'utf8')).toBe(vault.canary.value);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    chmodSync(file, 0o666);
    await vault.ok(['get', 'canary', '--out', 'out']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(vault.in('target'), 'untouched');
    symlinkSync('target', vault.in('link'));
    await vault
      .run(['get', 'canary', '--out', 'link'])
      .then(({ status }) => expect([7, 9]).toContain(status));
    expect(readFileSync(vault.in('target'), 'utf8')).toBe('untouched');
    await vault.fails(9, ['get', 'canary', '--out', 'no/such/folder']);
  });

  scenario('are text or base64 in JSON', async (vault) => {
    await vault.put('text', 'naïve "quoted"\n');
    await vault.put('bytes', Uint8Array.of(0, 0xff));
    const text = await vault.json(['get', 'text']);
    expect(text).toMatchObject({ name: 'text', version: 1, value: 'naïve "quoted"\n' });
    expect(text).not.toHaveProperty('valueBase64');
    const bytes = await vault.json(['get', 'bytes']);
    expect(bytes).toMatchObject({ name: 'bytes', valueBase64: 'AP8=' });
    expect(bytes).not.toHaveProperty('value');
  });

  scenario('end in a newline only if that is asked for', async (vault) => {
    await vault.put('x', 'value');
    expect(await vault.text('x')).toBe('value');
    expect(await vault.text('x', '--newline')).toBe('value\n');
  });
});

describe('names', () => {
  const names: readonly string[] = [
    'with spaces in it',
    ' leading and trailing ',
    'db/password',
    'Größe',
    'e\u0301',
    '\u00e9',
    '🔑/👩‍👩‍👧',
    'שלום',
    '\u202eevil\u202c',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '-rf',
    '--json',
    '--',
    'quote\'"`$(id)',
    'back\\slash',
    '#field',
    '*',
    '..',
    '/',
    'a'.repeat(1024),
    '🔑'.repeat(256),
  ];

  scenario('of every kind keep their values apart', async (vault) => {
    for (const [index, name] of names.entries()) await vault.put(name, `value ${index}`);
    for (const [index, name] of names.entries()) {
      expect(await vault.text(name), JSON.stringify(name)).toBe(`value ${index}`);
    }
    const listed = (await vault.json(['ls'])) as { name: string }[];
    expect(listed.map(({ name }) => name).sort()).toEqual([...names, 'canary'].sort());
    await vault.ok(['verify']);
  });

  scenario('beyond the rules are refused', async (vault) => {
    const bad = [
      'a'.repeat(1025),
      `${'🔑'.repeat(256)}a`,
      '',
      'line\nfeed',
      'bell\u0007',
      '\u2028',
      '\u0085',
      'tab\there',
    ];
    for (const name of bad) {
      const message = await vault.fails(2, ['put', '--', name], { input: 'value' });
      expect(message.replace(/\n/gu, ''), JSON.stringify(name)).not.toMatch(/[\p{Cc}\u2028]/u);
    }
    expect(await vault.json(['ls'])).toHaveLength(1);
  });

  scenario('are not obeyed by a terminal in messages', async (vault) => {
    await vault.put('\u202eevil', 'x');
    const { stderr } = await vault.ok(['rm', '--', '\u202eevil']);
    expect(stderr).not.toContain('\u202e');
  });

  scenario('as references are percent-decoded', async (vault) => {
    await vault.put('a b/c#d', 'first', '-e', 'production');
    expect(await vault.text('vault://production/a%20b/c%23d')).toBe('first');
    await vault.put('json', '{"user":"ada","port":5432}');
    expect(await vault.text('vault:///json#user')).toBe('ada');
    expect(await vault.text('json', '--field', 'port')).toBe('5432');
    await vault.fails(2, ['get', 'vault://production']);
    await vault.fails(2, ['get', 'vault://production/%zz']);
    await vault.fails(3, ['get', 'vault:///json#absent']);
  });
});
