/** Coming into a vault with the built binary, at a terminal and without one. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { addToken, atTerminal, Person, shownOnce } from '../support/binary-team.ts';
import { BinaryVault, fastKdf, scenario } from '../support/binary-vault.ts';

const hers = 'a passphrase of hers';
const asOwner = { env: { VAULT_PRINCIPAL: 'owner' } };
const may = ['--can', 'read,write', '--env', 'development'];

function newcomer(vault: BinaryVault, name = 'ada'): { person: Person; file: string } {
  return { person: new Person(vault, name, hers), file: vault.credentialFile('passphrase of hers', hers) };
}

/** A request in a file, made without a terminal. */
async function requested(vault: BinaryVault, person: Person, file: string, to = 'request'): Promise<string> {
  const args = ['join', '--request', '--name', 'ada', '--new-passphrase-file', file, ...fastKdf];
  const { stdout, stderr } = await vault.ok(args, person.options);
  expect(stderr).toMatch(/your keys: ([0-9a-f]{4} ){7}[0-9a-f]{4}\n/u);
  writeFileSync(vault.in(to), stdout);
  return to;
}

describe('by request', () => {
  scenario(
    'at a terminal: asked for a passphrase twice, then for it, and the administrator for a yes',
    async (vault) => {
      const { person } = newcomer(vault);
      const asking = person.terminal(['join', '--request', '--name', 'ada', ...fastKdf], { stdout: 'pipe' });
      for (const question of ['a passphrase of your own:', 'the same again:']) {
        expect((await asking.sees(question)).echo).toBe(false);
        asking.type(`${hers}\r`);
      }
      const print = await asking.sees('your keys: ').then(async () => {
        expect(await asking.end()).toBe(0);
        return /your keys: ([0-9a-f ]{39})/u.exec(asking.screen)?.[1] ?? '';
      });
      expect(asking.screen).not.toContain(hers);
      expect(asking.stdout).toMatch(/^\{"kind":"join-request",.*\}\n$/u);
      writeFileSync(vault.in('request'), asking.stdout);

      const add = atTerminal(vault, ['access', 'add', 'ada', ...may, '--request', 'request']);
      await add.sees(print);
      add.type('n\r');
      expect(await add.end()).toBe(1);
      const yes = atTerminal(vault, ['access', 'add', 'ada', ...may, '--request', 'request']);
      await yes.sees(print);
      yes.type('y\r');
      expect(await yes.end()).toBe(0);

      const finishing = person.terminal(['join']);
      expect((await finishing.sees('passphrase for')).echo).toBe(false);
      finishing.type(`${hers}\r`);
      expect(await finishing.end()).toBe(0);
      expect(finishing.screen).toContain('you are "ada" now');
      expect(finishing.screen).not.toContain(hers);
      expect(await person.ok('get', 'canary')).toBe(vault.canary.value);
      await vault.ok(['verify'], asOwner);
    },
  );

  scenario('without one: nothing before it is accepted, everything after it is finished', async (vault) => {
    const { person, file } = newcomer(vault);
    const request = await requested(vault, person, file);
    expect(await person.fails(4, 'join')).toContain('access add');
    await person.fails(4, 'get', 'canary');
    await vault.fails(2, ['access', 'add', 'ada', ...may, '--request', request]);
    await vault.ok(['access', 'add', 'ada', ...may, '--request', request, '--yes']);
    expect(await vault.json(['access', 'ls'])).toMatchObject([{}, { name: 'ada', state: 'awaited' }]);
    await vault.ok(['verify']);
    await person.fails(4, 'get', 'canary');
    await person.ok('join');
    expect(await person.ok('get', 'canary')).toBe(vault.canary.value);
    await person.put('by ada', 'x');
    await person.fails(3, 'join');
    await vault.ok(['put', 'unrelated', '--generate'], asOwner);
    await vault.ok(['verify'], asOwner);
    expect(await vault.json(['access', 'ls'], asOwner)).toMatchObject([
      {},
      { name: 'ada', credentials: ['passphrase'], state: 'active' },
    ]);
  });

  scenario(
    'one that was finished but not forgotten, as by a crash between, is forgotten by the next',
    async (vault) => {
      const { person, file } = newcomer(vault);
      const request = await requested(vault, person, file);
      await vault.ok(['access', 'add', 'ada', ...may, '--request', request, '--yes']);
      const folder = path.join(vault.in('machine of ada'), 'vault');
      const pending = readdirSync(folder).filter((name) => name.endsWith('.join'));
      expect(pending).toHaveLength(1);
      const kept = path.join(folder, pending[0] ?? '');
      const bytes = readFileSync(kept);
      await person.ok('join');
      writeFileSync(kept, bytes);
      const before = readFileSync(vault.file);
      await person.ok('join');
      expect(existsSync(kept)).toBe(false);
      expect(readFileSync(vault.file)).toEqual(before);
      await person.fails(3, 'join');
    },
  );

  scenario('what belongs to another way of joining is refused, not ignored', async (vault) => {
    const { person, file } = newcomer(vault);
    for (const args of [
      ['--request', '--invitation-file', file],
      ['--replace', '--invitation-file', file],
      ['--name', 'ada', '--invitation-file', file],
    ])
      await person.fails(2, 'join', ...args);
    const request = await requested(vault, person, file);
    await vault.ok(['access', 'add', 'ada', ...may, '--request', request, '--yes']);
    for (const args of [['--new-passphrase-file', file], fastKdf, ['--calibrate', '100']])
      expect(await person.fails(2, 'join', ...args)).toContain('vault passwd');
    await person.ok('join');
  });

  scenario('a changed one, one for another vault, or the same one again is refused', async (vault) => {
    const { person, file } = newcomer(vault);
    const request = await requested(vault, person, file);
    const text = readFileSync(vault.in(request), 'utf8');
    const add = async (made: string): Promise<string> => {
      writeFileSync(vault.in('made'), made);
      return vault.fails(2, ['access', 'add', 'eve', ...may, '--request', 'made', '--yes']);
    };
    for (const member of ['vault', 'id', 'name', 'time', 'signPub', 'sealPub', 'sig']) {
      const changed = text.replace(
        new RegExp(`("${member}":")(.)`, 'u'),
        (_, start: string, first: string) => `${start}${first === 'A' ? 'B' : 'A'}`,
      );
      expect(changed).not.toBe(text);
      await add(changed);
    }
    for (const other of ['', 'hello\n', text.slice(0, 100), `${text}${text}`]) await add(other);
    const elsewhere = await BinaryVault.make();
    const foreign = await requested(
      elsewhere,
      new Person(elsewhere, 'ada', hers),
      elsewhere.credentialFile('p', hers),
    );
    expect(await add(readFileSync(elsewhere.in(foreign), 'utf8'))).toContain('another vault');
    await vault.ok(['access', 'add', 'ada', ...may, '--request', request, '--yes']);
    expect(await add(text)).toContain('already');
    await vault.ok(['access', 'rm', 'ada', '--yes']);
    expect(await add(text)).toContain('already');
    expect(await vault.json(['access', 'ls'])).toHaveLength(1);
  });
});

describe('by invitation', () => {
  scenario('at a terminal: the invitation and a passphrase are typed, hidden', async (vault) => {
    const invitation = await shownOnce(vault, ['access', 'add', 'ada', ...may, '--invite']);
    expect(invitation).toMatch(/^vli1_[0-9A-Za-z]{82}$/u);
    const { person } = newcomer(vault);
    const joining = person.terminal(['join', ...fastKdf]);
    expect((await joining.sees('invitation:')).echo).toBe(false);
    joining.type(`${invitation}\r`);
    for (const question of ['a passphrase of your own:', 'the same again:']) {
      expect((await joining.sees(question)).echo).toBe(false);
      joining.type(`${hers}\r`);
    }
    expect(await joining.end()).toBe(0);
    expect(joining.screen).not.toContain(invitation);
    expect(joining.screen).not.toContain(hers);
    await vault.ok(['put', 'unrelated', '--generate'], asOwner);
    expect(await person.ok('get', 'canary')).toBe(vault.canary.value);
  });

  scenario('gives nothing before an administrator’s next change, and says so', async (vault) => {
    const { person, file } = newcomer(vault);
    const invitation = vault.credentialFile(
      'invitation',
      await shownOnce(vault, ['access', 'add', 'ada', ...may, '--invite']),
    );
    await person.ok('join', '--invitation-file', invitation, '--new-passphrase-file', file, ...fastKdf);
    for (const args of [
      ['get', 'canary'],
      ['ls'],
      ['put', 'x', '--generate'],
      ['rotate', 'canary'],
      ['rm', 'canary', '--yes'],
      ['import', 'invitation', '--format', 'dotenv'],
    ])
      expect(await person.fails(5, ...args)).toMatch(/not complete yet/u);
    await person.fails(125, 'exec', '--', 'true');
    for (const args of [
      ['status'],
      ['verify'],
      ['access', 'ls'],
      ['env', 'ls'],
      ['slot', 'ls'],
      ['audit'],
      ['policy', 'show'],
    ])
      await person.ok(...args);
    await vault.ok(['verify'], asOwner);
    expect(await vault.json(['access', 'ls'], asOwner)).toMatchObject([{}, { state: 'joined' }]);
    await vault.ok(['put', 'unrelated', '--generate', '-e', 'production'], asOwner);
    expect(await vault.json(['access', 'ls'], asOwner)).toMatchObject([{}, { state: 'active' }]);
    expect(await person.ok('get', 'canary')).toBe(vault.canary.value);
    await person.put('by ada', 'x');
    await vault.ok(['verify'], asOwner);
  });

  scenario(
    'used twice, mistyped, withdrawn, expired or of another vault is refused with 4',
    async (vault) => {
      const file = vault.credentialFile('passphrase of hers', hers);
      let number = 0;
      const join = async (text: string): Promise<string> => {
        number += 1;
        const invitation = vault.credentialFile(`invitation ${number}`, text);
        const args = ['join', '--invitation-file', invitation, '--new-passphrase-file', file, ...fastKdf];
        return vault.fails(4, args, new Person(vault, `machine ${number}`, hers).options);
      };
      const first = await shownOnce(vault, ['access', 'add', 'ada', ...may, '--invite']);
      expect(await join(`${first.slice(0, -1)}${first.endsWith('0') ? '1' : '0'}`)).toMatch(
        /mistyped or cut/u,
      );
      expect(await join(first.slice(0, -3))).toMatch(/mistyped or cut/u);
      const args = [
        'join',
        '--invitation-file',
        vault.credentialFile('first', first),
        '--new-passphrase-file',
        file,
      ];
      await vault.ok([...args, ...fastKdf], new Person(vault, 'ada', hers).options);
      expect(await join(first)).toMatch(/used/u);

      const expires = new Date(Date.now() + 5_000).toISOString();
      const brief = await shownOnce(
        vault,
        ['access', 'add', 'brief', ...may, '--invite', '--expires', expires],
        asOwner,
      );
      const withdrawn = await shownOnce(vault, ['access', 'add', 'bob', ...may, '--invite'], asOwner);
      await vault.ok(['access', 'rm', 'bob', '--yes'], asOwner);
      expect(await join(withdrawn)).toMatch(/withdrawn/u);
      const elsewhere = await BinaryVault.make();
      expect(await join(await shownOnce(elsewhere, ['access', 'add', 'ada', ...may, '--invite']))).toMatch(
        /another vault/u,
      );
      await new Promise((resolve) => {
        setTimeout(resolve, Date.parse(expires) - Date.now() + 100);
      });
      expect(await join(brief)).toMatch(/expired/u);
      await vault.ok(['verify'], asOwner);
    },
  );
});

describe('a passphrase that an administrator sets', () => {
  scenario('is asked for twice at a terminal, and hidden', async (vault) => {
    const { person } = newcomer(vault);
    const adding = atTerminal(vault, ['access', 'add', 'ada', ...may, '--passphrase', ...fastKdf]);
    for (const question of ['passphrase for ada:', 'the same again:']) {
      expect((await adding.sees(question)).echo).toBe(false);
      adding.type(`${hers}\r`);
    }
    expect(await adding.end()).toBe(0);
    expect(adding.screen).not.toContain(hers);
    expect(await person.ok('get', 'canary')).toBe(vault.canary.value);
  });

  scenario('is one of several ways, and one way is enough', async (vault) => {
    await vault.fails(2, ['access', 'add', 'ada', ...may]);
    await vault.fails(2, ['access', 'add', 'ada', ...may, '--token', '--invite']);
    await vault.fails(2, ['access', 'add', 'ada', ...may, '--request', 'absent', '--token']);
    expect((await vault.run(['access', 'add', 'ada', ...may, '--passphrase'])).status).toBe(4);
    await addToken(vault, 'ada', '--can read --env development');
  });
});
