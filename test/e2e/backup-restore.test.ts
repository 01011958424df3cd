/** `vault backup restore`: over whatever stands there, which is kept; afterwards the vault works as before. */
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { logOf, namesIn, recorded, signedRecords, take } from '../support/backups.ts';
import { addToken, atTerminal, getWith, holding } from '../support/binary-team.ts';
import { BinaryVault, passphrase, scenario, type RunOptions } from '../support/binary-vault.ts';
import { cannotRecover, recover } from '../support/second-reader.ts';

interface Restored {
  readonly path: string;
  readonly generation: number;
  readonly kept: readonly string[];
}

async function restore(vault: BinaryVault, file: string, options: RunOptions = {}): Promise<Restored> {
  return (await vault.json(['backup', 'restore', file, '--yes'], options)) as Restored;
}

/** Everything goes on: reading, writing, looking, proving. */
async function expectWorks(vault: BinaryVault): Promise<void> {
  expect(await vault.text('canary')).toBe(vault.canary.value);
  await vault.put('written after', 'value');
  expect(await vault.text('written after')).toBe('value');
  await vault.ok(['verify']);
  await vault.ok(['audit', 'verify']);
  const entries = (await vault.json(['audit', '--last', '1000'])) as { operation: string }[];
  const seen = entries.map(({ operation }) => operation);
  expect(seen).toEqual(expect.arrayContaining(['backup-restore', 'get', 'put', 'verify']));
  expect(seen).not.toContain('aborted');
  await vault.ok(['rm', 'written after', '--purge', '--yes']);
}

/** A vault with a backup, and writes since. */
async function withNewer(vault: BinaryVault): Promise<string> {
  const file = await take(vault, ['backups/']);
  await vault.put('canary', 'newer');
  await vault.put('canary', 'newest');
  return file;
}

describe('vault backup restore', () => {
  scenario('over a newer vault: that one is kept whole, and the log goes on', async (vault) => {
    const file = await withNewer(vault);
    const [newer, log] = [readFileSync(vault.file), readFileSync(vault.log)];
    const { path: at, generation, kept } = await restore(vault, file);
    expect([at, generation]).toEqual([vault.file, 2]);
    expect(readFileSync(vault.file)).toEqual(readFileSync(file));
    expect(kept).toEqual([expect.stringMatching(/secrets\.vault\.replaced-\d{8}T\d{9}Z$/u)]);
    expect(readFileSync(kept[0] ?? '')).toEqual(newer);
    expect(readFileSync(vault.log).subarray(0, log.length)).toEqual(log);
    const last = signedRecords(vault.log).at(-1);
    expect(last).toMatchObject({ op: 'backup-restore', ok: true, detail: 'generation 2' });
    await expectWorks(vault);
    // What was kept is a vault, and can be brought back.
    const { kept: again } = await restore(vault, kept[0] ?? '');
    expect(await vault.text('canary')).toBe('newest');
    expect(again).toHaveLength(1);
    await vault.ok(['verify']);
  });

  scenario('over an older vault', async (vault) => {
    copyFileSync(vault.file, vault.in('old'));
    await vault.put('x', 'y');
    const file = await take(vault, ['backups/']);
    copyFileSync(vault.in('old'), vault.file);
    await vault.fails(7, ['get', 'x']);
    await restore(vault, file);
    expect(await vault.text('x')).toBe('y');
    await expectWorks(vault);
  });

  scenario('over the very same state', async (vault) => {
    await restore(vault, await take(vault));
    await expectWorks(vault);
  });

  scenario('where the vault is lost', async (vault) => {
    const file = await withNewer(vault);
    rmSync(vault.file);
    expect(await restore(vault, file)).toMatchObject({ generation: 2, kept: [] });
    expect(recorded(vault.log, 'put', 'backup-restore')).toEqual(['put', 'put', 'put', 'backup-restore']);
    await expectWorks(vault);
  });

  scenario(
    'where vault and log are lost: the log of the backup goes on, and says what is missing',
    async (vault) => {
      const file = await withNewer(vault);
      rmSync(path.dirname(vault.file), { recursive: true });
      expect(await restore(vault, file)).toMatchObject({ generation: 2, kept: [] });
      expect(readFileSync(vault.log).subarray(0, readFileSync(logOf(file)).length)).toEqual(
        readFileSync(logOf(file)),
      );
      // Backup, and two writes.
      expect(signedRecords(vault.log).at(-1)?.detail).toBe('generation 2; lost: records 4 to 6 of the log');
      await expectWorks(vault);
    },
  );

  scenario('in an empty folder of a new machine', async (vault) => {
    const file = await withNewer(vault);
    const machine = new BinaryVault();
    expect(await restore(machine, file)).toMatchObject({ path: machine.file, generation: 2, kept: [] });
    expect(signedRecords(machine.log).at(-1)?.detail).toBe('generation 2');
    expect(await machine.text('canary').then((value) => vault.canary.isIn(value))).toBe(true);
    await machine.ok(['verify']);
    await machine.ok(['audit', 'verify']);
    const elsewhere = machine.in('named', 'own.vault');
    expect(await restore(machine, file, { env: { VAULT_PATH: elsewhere } })).toMatchObject({
      path: elsewhere,
    });
    await machine.ok(['verify'], { env: { VAULT_PATH: elsewhere } });
  });

  scenario('from a copy without its log: a new one begins', async (vault) => {
    const file = await withNewer(vault);
    rmSync(logOf(file));
    rmSync(path.dirname(vault.file), { recursive: true });
    await restore(vault, file);
    expect(signedRecords(vault.log)[0]?.detail).toMatch(/^lost [\w-]{22} 6 [\w-]{43}$/u);
    await expectWorks(vault);
  });

  const damages: Readonly<Record<string, (sound: Buffer) => Uint8Array>> = {
    emptied: () => new Uint8Array(0),
    'no vault at all': () => Buffer.from('A=1\nB=2\n'),
    cut: (sound) => sound.subarray(0, sound.length / 2),
    'with another id': (sound) => Buffer.from(sound.toString('utf8').replace(/"id":"./u, '"id":"_')),
    'of a newer format': (sound) => Buffer.from(sound.toString('utf8').replace('"format":1', '"format":9')),
    'overwritten by chance': (sound) => {
      const damaged = Buffer.from(sound);
      for (let count = 0; count < 20; count++)
        damaged[Math.floor(Math.random() * damaged.length)] = Math.floor(Math.random() * 256);
      return damaged;
    },
  };
  for (const [how, damage] of Object.entries(damages))
    scenario(`over a vault ${how}: that is kept as it was`, async (vault) => {
      const file = await withNewer(vault);
      writeFileSync(vault.file, damage(readFileSync(vault.file)));
      const damaged = readFileSync(vault.file);
      const { kept } = await restore(vault, file);
      expect(kept).toHaveLength(1);
      expect(readFileSync(kept[0] ?? '')).toEqual(damaged);
      expect(recorded(vault.log, 'put', 'aborted')).toEqual(['put', 'put', 'put']);
      await expectWorks(vault);
    });

  scenario('not over another vault, nor through a link: 8 and 7, nothing changed', async (vault) => {
    const file = await take(vault, ['backups/']);
    const other = await BinaryVault.make();
    const before = [readFileSync(other.file), readFileSync(other.log)];
    const message = await other.fails(8, ['backup', 'restore', file, '--yes']);
    expect(message).toContain('another vault stands at');
    expect([readFileSync(other.file), readFileSync(other.log)]).toEqual(before);
    mkdirSync(vault.in('linked'));
    writeFileSync(vault.in('target'), 'somebody’s');
    symlinkSync(vault.in('target'), vault.in('linked', 'v.vault.audit.jsonl'));
    const env = { VAULT_PATH: vault.in('linked', 'v.vault') };
    await vault.fails(7, ['backup', 'restore', file, '--yes'], { env });
    expect(readFileSync(vault.in('target'), 'utf8')).toBe('somebody’s');
    expect(namesIn(vault.in('linked'))).not.toContain('v.vault');
  });

  scenario('not by who is no administrator, or none any more: 5, on record', async (vault) => {
    const reader = await addToken(vault, 'ci', '--can read,write --env development');
    const admin = await addToken(vault, 'ada', '--can admin');
    const file = await take(vault);
    await vault.fails(5, ['backup', 'restore', file, '--yes'], holding(reader));
    // Nobody is asked who may not.
    await vault.fails(5, ['backup', 'restore', file], holding(reader));
    const elsewhere = { VAULT_PATH: vault.in('elsewhere', 'new.vault') };
    await vault.fails(5, ['backup', 'restore', file, '--yes'], holding(reader, elsewhere));
    expect(namesIn(vault.in('elsewhere'))).toEqual([]);
    await vault.ok(['access', 'revoke', 'ada', '--can', 'admin', '--yes']);
    const now = readFileSync(vault.file);
    await vault.fails(5, ['backup', 'restore', file, '--yes'], holding(admin));
    expect(readFileSync(vault.file)).toEqual(now);
    expect(new Set(recorded(vault.log, 'backup-restore'))).toEqual(new Set(['backup-restore ACCESS_DENIED']));
    await vault.ok(['verify']);
  });

  scenario('asks first: no, nobody there, yes', async (vault) => {
    const file = await withNewer(vault);
    const before = readFileSync(vault.file);
    const refused = await vault.fails(2, ['backup', 'restore', file], { input: 'y\n' });
    expect(refused).toMatch(/replace generation 4 at .* by generation 2 of \d{4}-.*Nobody can answer here/u);
    await vault.fails(2, ['backup', 'restore', file, '--no-input']);
    const terminal = atTerminal(vault, ['backup', 'restore', file]);
    await terminal.sees('replace generation 4');
    terminal.type('n\r');
    expect(await terminal.end()).toBe(1);
    expect(readFileSync(vault.file)).toEqual(before);
    const again = atTerminal(vault, ['backup', 'restore', file]);
    await again.sees('replace generation 4');
    again.type('y\r');
    expect(await again.end()).toBe(0);
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });

  scenario('not what does not verify: 7, on record, nothing changed', async (vault) => {
    const file = await withNewer(vault);
    const text = readFileSync(file, 'utf8');
    const at = text.indexOf('"ct":"', text.indexOf('"kind":"value"')) + 20;
    writeFileSync(file, `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`);
    const before = readFileSync(vault.file);
    await vault.fails(7, ['backup', 'restore', file, '--yes']);
    await vault.fails(4, ['backup', 'restore', file, '--yes'], { env: { VAULT_PASSPHRASE: 'wrong' } });
    await vault.fails(3, ['backup', 'restore', 'none', '--yes']);
    expect(readFileSync(vault.file)).toEqual(before);
    expect(recorded(vault.log, 'backup-restore')).toEqual(['backup-restore INTEGRITY']);
    expect(await vault.text('canary')).toBe('newest');
  });
});

describe('the audit log of a restored vault', () => {
  scenario(
    'is put aside where it has records of who came after the backup; both can be proven',
    async (vault) => {
      const file = await take(vault, ['backups/']);
      const token = await addToken(vault, 'ci', '--can read,write --env development');
      await vault.ok(['put', 'x'], { ...holding(token), input: 'by ci' });
      const log = readFileSync(vault.log);
      const { kept } = await restore(vault, file);
      expect(kept).toHaveLength(2);
      const [keptVault = '', keptLog = ''] = kept;
      expect(keptLog).toBe(logOf(keptVault));
      // The record of this restoration is the new log's.
      expect(readFileSync(keptLog)).toEqual(log);
      expect(signedRecords(vault.log).map(({ op }) => op)).toEqual(['log', 'backup-restore']);
      expect(signedRecords(vault.log)[0]?.detail).toMatch(/^lost /u);
      await expectWorks(vault);
      // What was kept is a backup like any other.
      await vault.ok(['backup', 'verify', keptVault]);
      await restore(vault, keptVault);
      expect(await getWith(vault, token, 'x')).toBe('by ci');
      await vault.ok(['verify']);
    },
  );

  const damages: Readonly<Record<string, (lines: string[]) => string[]>> = {
    'was cut': (lines) => lines.slice(0, -1),
    'was cut to before the backup': (lines) => lines.slice(0, 2),
    'lacks a record': (lines) => lines.filter((_, index) => index !== 3),
    'has a changed record': (lines) =>
      lines.map((line, at) => (at === 4 ? line.replace('true', 'false') : line)),
    'is another one': () => ['{}'],
  };
  for (const [how, damage] of Object.entries(damages))
    scenario(`is put aside where it ${how}`, async (vault) => {
      const file = await withNewer(vault);
      const lines = readFileSync(vault.log, 'utf8').trimEnd().split('\n');
      writeFileSync(vault.log, `${damage(lines).join('\n')}\n`);
      const damaged = readFileSync(vault.log);
      const { kept } = await restore(vault, file);
      expect(kept).toHaveLength(2);
      expect(readFileSync(kept[1] ?? '')).toEqual(damaged);
      expect(signedRecords(vault.log).map(({ op, detail }) => `${op} ${detail.slice(0, 5)}`)).toEqual([
        'log lost ',
        'backup-restore gener',
      ]);
      await expectWorks(vault);
    });

  scenario('is put aside where it was cut and the vault is lost: this machine remembers', async (vault) => {
    const file = await withNewer(vault);
    const lines = readFileSync(vault.log, 'utf8').trimEnd().split('\n');
    writeFileSync(vault.log, `${lines.slice(0, -1).join('\n')}\n`);
    rmSync(vault.file);
    expect((await restore(vault, file)).kept).toEqual([expect.stringContaining('.replaced-')]);
    expect(signedRecords(vault.log)[0]?.detail).toMatch(/^lost [\w-]{22} 6 /u);
    await expectWorks(vault);
  });

  scenario('of another place goes on there, though the backup is older than it', async (vault) => {
    const file = await take(vault, ['backups/']);
    const place = vault.in('clone', 'v.vault');
    mkdirSync(path.dirname(place));
    copyFileSync(vault.file, place);
    const options = { env: { VAULT_PATH: place, XDG_STATE_HOME: vault.in('other state') } };
    await vault.ok(['put', 'x', '--generate'], options);
    expect((await restore(vault, file, options)).kept).toHaveLength(1);
    expect(recorded(logOf(place), 'put', 'backup-restore')).toEqual(['put', 'backup-restore']);
    await vault.ok(['verify'], options);
  });

  scenario('that the vault does not name yet is restored, too', async (vault) => {
    const place = vault.in('clone', 'v.vault');
    mkdirSync(path.dirname(place));
    copyFileSync(vault.file, place);
    const file = await take(vault, ['backups/'], {
      env: { VAULT_PATH: place, XDG_STATE_HOME: vault.in('s') },
    });
    const machine = new BinaryVault();
    await machine.ok(['backup', 'verify', file]);
    await restore(machine, file);
    expect(recorded(machine.log, 'log', 'backup-restore')).toEqual(['log', 'backup-restore']);
    await machine.ok(['verify']);
  });

  scenario('stands where VAULT_AUDIT_FILE says, and is kept there', async (vault) => {
    const env = { VAULT_AUDIT_FILE: vault.in('logs', 'log') };
    mkdirSync(vault.in('logs'));
    await vault.ok(['ls'], { env });
    const file = await take(vault, ['backups/'], { env });
    expect(recorded(logOf(file), 'ls')).toEqual(['ls']);
    await vault.ok(['put', 'x', '--generate'], { env });
    appendFileSync(vault.in('logs', 'log'), 'nonsense\n');
    const { kept } = await restore(vault, file, { env });
    expect(kept.map((one) => path.dirname(one))).toEqual([path.dirname(vault.file), vault.in('logs')]);
    await vault.ok(['verify'], { env });
  });
});

describe('machines that remember', () => {
  scenario('this one goes on; another one refuses until an administrator accepts it there', async (vault) => {
    const file = await withNewer(vault);
    const other = { env: { XDG_STATE_HOME: vault.in('another machine') } };
    await vault.ok(['get', 'canary'], other);
    await restore(vault, file);
    for (const words of [['get', 'canary'], ['put', 'x', '--generate'], ['ls'], ['verify']])
      expect(await vault.fails(7, words, other)).toContain('rolled back');
    await vault.ok(['verify', '--accept-rollback'], other);
    const { stdout } = await vault.ok(['get', 'canary'], { ...other, shows: true });
    expect(stdout.toString('utf8')).toBe(vault.canary.value);
    await vault.ok(['put', 'x', '--generate'], other);
    // The newer vault is an older one, from now on.
    const newer = namesIn(path.dirname(vault.file)).find((name) => name.includes('.replaced-')) ?? '';
    copyFileSync(path.join(path.dirname(vault.file), newer), vault.file);
    await vault.fails(7, ['get', 'canary'], other);
  });
});

describe.skipIf(cannotRecover)('scripts/recover.py', () => {
  scenario('reads a backup and its log', async (vault) => {
    await addToken(vault, 'ci', '--can read --env staging');
    const file = await take(vault, ['backups/']);
    const { status, stdout, stderr } = await recover(file, ['--list', '--audit', logOf(file)], passphrase);
    expect([status, stderr]).toEqual([0, expect.not.stringContaining('recover: ')]);
    expect(stdout.toString('utf8')).toContain('canary');
    await restore(vault, file);
    expect(await recover(vault.file, ['--audit', vault.log], passphrase)).toMatchObject({ status: 0 });
    const got = await recover(file, ['--get', 'canary'], passphrase);
    expect(vault.canary.isIn(got.stdout)).toBe(true);
  });
});
