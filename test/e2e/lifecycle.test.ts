/** A secret's life, and what is told of it. */
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { fastKdf, passphrase, scenario, type BinaryVault } from '../support/binary-vault.ts';

const time: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/u);

describe('a secret', () => {
  scenario('is listed and shown without its value', async (vault) => {
    const flags = [
      '--type',
      'token',
      '--description',
      'for CI',
      '--tag',
      'team=a',
      '--tag',
      'x=1',
      '--var',
      'CI_TOKEN',
    ];
    await vault.put(
      'ci/token',
      vault.canary.value,
      ...flags,
      '--expires',
      '2030-01-01T00:00:00Z',
      '--rotate-every',
      '90d',
    );
    const [, listed] = (await vault.json(['ls'])) as unknown[];
    const metadata = {
      name: 'ci/token',
      environment: 'development',
      type: 'token',
      version: 1,
      created: time,
      updated: time,
    };
    expect(listed).toMatchObject({
      ...metadata,
      expires: '2030-01-01T00:00:00.000Z',
      tags: { team: 'a', x: '1' },
    });
    const shown = await vault.json(['show', 'ci/token']);
    expect(shown).toMatchObject({
      ...metadata,
      description: 'for CI',
      variable: 'CI_TOKEN',
      rotateEverySeconds: 90 * 86_400,
    });
    expect(JSON.stringify([listed, shown])).not.toMatch(/"value/u);
    const { stdout } = await vault.ok(['show', 'ci/token']);
    expect(stdout.toString()).toContain('vault get');
    const names = async (...args: string[]): Promise<string> =>
      (await vault.ok(['ls', ...args])).stdout.toString();
    expect(await names()).toBe('canary\nci/token\n');
    expect(await names('ci/*')).toBe('ci/token\n');
    expect(await names('--type', 'token')).toBe('ci/token\n');
    expect(await names('--tag', 'team=a', '--tag', 'x=1')).toBe('ci/token\n');
    expect(await names('--tag', 'team=b')).toBe('');
    expect(await names('-e', 'production')).toBe('');
    expect(await names('--all-environments')).toBe('development\tcanary\ndevelopment\tci/token\n');
    await vault.ok(['put', 'ci/token', '--tag', 'x='], { input: 'y' });
    expect(await vault.json(['show', 'ci/token'])).toMatchObject({
      version: 2,
      tags: { team: 'a' },
      description: 'for CI',
    });
  });

  scenario('is removed, restored, purged', async (vault) => {
    await vault.put('canary', 'second');
    await vault.ok(['rm', 'canary']);
    expect(await vault.fails(3, ['get', 'canary'])).toContain('restore');
    expect(await vault.json(['ls'])).toEqual([]);
    expect(await vault.json(['ls', '--removed'])).toMatchObject([{ name: 'canary' }]);
    await vault.fails(3, ['rm', 'canary']);
    await vault.ok(['restore', 'canary']);
    expect(await vault.text('canary')).toBe('second');
    expect(await vault.text('canary', '--version', '1')).toBe(vault.canary.value);
    await vault.ok(['rm', 'canary', '--purge', '--yes']);
    await vault.fails(3, ['get', 'canary']);
    await vault.fails(3, ['restore', 'canary']);
    expect(await vault.json(['ls', '--removed'])).toEqual([]);
    await vault.put('canary', 'a new life');
    expect(await vault.text('canary')).toBe('a new life');
    await vault.fails(3, ['get', 'canary', '--version', 'previous']);
    await vault.ok(['verify']);
  });

  scenario('comes back with a put after rm', async (vault) => {
    await vault.ok(['rm', 'canary']);
    await vault.put('canary', 'again');
    expect(await vault.text('canary')).toBe('again');
    expect(await vault.text('canary', '--version', 'previous')).toBe(vault.canary.value);
  });

  scenario('is renamed with its history, and copied without', async (vault) => {
    await vault.put('canary', 'second', '--type', 'password', '--tag', 'a=b');
    await vault.ok(['mv', 'canary', 'moved']);
    await vault.fails(3, ['get', 'canary']);
    expect(await vault.text('moved', '--version', '1')).toBe(vault.canary.value);
    await vault.ok(['cp', 'moved', 'moved', '--to-env', 'production']);
    expect(await vault.text('moved', '-e', 'production')).toBe('second');
    expect(await vault.json(['show', 'moved', '-e', 'production'])).toMatchObject({
      version: 1,
      type: 'password',
      tags: { a: 'b' },
    });
    await vault.fails(8, ['cp', 'moved', 'moved', '--to-env', 'production']);
    await vault.fails(8, ['cp', 'moved', 'moved']);
    await vault.ok(['cp', 'moved', 'copy']);
    await vault.put('copy', 'changed');
    expect(await vault.text('moved')).toBe('second');
    await vault.ok(['verify']);
  });

  scenario('has versions that can be read and gone back to', async (vault) => {
    for (const value of ['two', 'three']) await vault.put('canary', value);
    const { versions } = (await vault.json(['history', 'canary'])) as { versions: object[] };
    expect(versions).toMatchObject(
      [3, 2, 1]
        .map((version) => ({ version, time, current: version === 3 }))
        .sort((a, b) => {
          const [first] = versions as { version: number }[];
          return first?.version === 1 ? a.version - b.version : b.version - a.version;
        }),
    );
    expect(await vault.text('canary', '--version', 'previous')).toBe('two');
    await vault.ok(['rollback', 'canary', '--to', '1']);
    expect(await vault.text('canary')).toBe(vault.canary.value);
    expect(await vault.json(['show', 'canary'])).toMatchObject({ version: 4 });
    await vault.fails(3, ['rollback', 'canary', '--to', '9']);
  });

  scenario('is rotated from a pipe or a generator', async (vault) => {
    await vault.ok(['rotate', 'canary'], { input: 'from a pipe\n' });
    expect(await vault.text('canary')).toBe('from a pipe');
    await vault.ok(['rotate', 'canary']);
    expect(await vault.text('canary')).toMatch(/^[\u0021-\u007e]{32}$/u);
    await vault.ok(['rotate', 'canary', '--generate', 'hex:16'], { input: 'ignored' });
    expect(await vault.text('canary')).toMatch(/^[0-9a-f]{32}$/u);
    expect(await vault.json(['show', 'canary'])).toMatchObject({ version: 4, rotations: 3 });
    await vault.fails(3, ['rotate', 'absent']);
  });

  scenario('is generated to measure', async (vault) => {
    const forms: readonly (readonly [string, RegExp])[] = [
      ['password:40', /^[\u0021-\u007e]{40}$/u],
      ['password:20:lud', /^[a-zA-Z0-9]{20}$/u],
      ['hex:8', /^[0-9a-f]{16}$/u],
      ['base64:9', /^[A-Za-z0-9+/]{12}$/u],
      ['base64url:32', /^[\w-]{43}$/u],
      ['uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u],
    ];
    const seen = new Set<string>();
    for (const [spec, form] of forms) {
      for (const command of [
        ['put', 'x', '--generate', spec],
        ['generate', 'x', spec],
      ]) {
        const { stdout } = await vault.ok(command);
        expect(stdout.toString()).toBe('');
        const value = await vault.text('x');
        expect(value).toMatch(form);
        seen.add(value);
      }
    }
    expect(seen.size).toBe(forms.length * 2);
  });

  scenario('is left alone by a dry run', async (vault) => {
    const before = readFileSync(vault.file);
    await vault.ok(['put', 'canary', '--dry-run'], { input: 'x' });
    await vault.ok(['put', 'new', '--dry-run'], { input: 'x' });
    expect(readFileSync(vault.file).equals(before)).toBe(true);
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });

  scenario('has fields', async (vault) => {
    await vault.put(
      'db',
      '{"user":"ada","password":"p","host":"h","port":5432}',
      '--type',
      'database-credential',
    );
    await vault.ok(['put', 'db', '--field', 'password'], { input: 'new' });
    expect(await vault.text('db', '--field', 'password')).toBe('new');
    expect(await vault.text('db', '--field', 'user')).toBe('ada');
    await vault.fails(3, ['get', 'db', '--field', 'absent']);
    await vault.fails(3, ['get', 'db', '--field', '__proto__']);
    await vault.fails(3, ['get', 'db', '--field', 'constructor']);
  });

  scenario('of which no URL can be made is stored, and told', async (vault) => {
    const stderr = async (value: string, ...args: string[]): Promise<string> =>
      (await vault.ok(['put', 'db', ...args], { input: value })).stderr;
    const type = ['--type', 'database-credential'];
    expect(await stderr('no JSON', ...type)).toContain(
      '"db" has no field url: the value of the secret is not JSON',
    );
    expect(await stderr('{"engine":"oracle","host":"h","user":"u","password":"secret-word"}')).toMatch(
      /has no field url: the engine of the credential is not known(?!.*secret-word)/u,
    );
    expect(await stderr('redis', '--field', 'engine')).not.toContain('no field url');
    expect(await vault.text('db', '--field', 'url')).toBe('redis://u:secret-word@h');
  });

  scenario('is compared with a candidate', async (vault) => {
    expect(await vault.run(['verify', 'canary'], { input: vault.canary.value })).toMatchObject({ status: 0 });
    expect(await vault.run(['verify', 'canary'], { input: `${vault.canary.value}\n` })).toMatchObject({
      status: 0,
    });
    expect(
      await vault.run(['verify', 'canary', '--exact'], { input: `${vault.canary.value}\n` }),
    ).toMatchObject({ status: 1 });
    expect(await vault.run(['verify', 'canary'], { input: 'other' })).toMatchObject({ status: 1 });
    await vault.fails(3, ['verify', 'absent'], { input: 'x' });
  });
});

describe('import', () => {
  const dotenv = [
    '# comment',
    'export PLAIN=value # comment',
    `QUOTED="a \\"b\\" \\n c"`,
    `SINGLE='$HOME # kept'`,
    'http_proxy=http://p:1',
    'EMPTY=',
    'MULTI="line one',
    'line two"',
    'HASH="a#b"',
    '',
  ].join('\n');

  scenario('takes a dotenv file as one write', async (vault) => {
    writeFileSync(vault.in('.env'), dotenv);
    const dry = await vault.json(['import', '.env', '--dry-run']);
    expect(dry).toMatchObject({ dryRun: true, environment: 'development' });
    expect(await vault.json(['ls'])).toHaveLength(1);
    const { generation } = (await vault.json(['status'])) as { generation: number };
    const done = (await vault.json(['import', '.env'])) as { added: string[] };
    expect(done.added).toHaveLength(7);
    expect(await vault.json(['status'])).toMatchObject({ generation: generation + 1 });
    const values = await Promise.all(
      ['PLAIN', 'SINGLE', 'http_proxy', 'EMPTY', 'MULTI', 'HASH'].map(async (name) => vault.text(name)),
    );
    expect(values).toEqual(['value', '$HOME # kept', 'http://p:1', '', 'line one\nline two', 'a#b']);
    expect(await vault.json(['import', '.env'])).toMatchObject({ added: [], changed: [] });
    writeFileSync(vault.in('.env'), 'PLAIN=other\n');
    expect(await vault.json(['import', '.env'])).toMatchObject({
      added: [],
      changed: ['PLAIN'],
      unchanged: [],
    });
  });

  scenario('takes # without a space before it as part of a value', async (vault) => {
    await vault.ok(['import', '-', '--format', 'dotenv'], { input: 'HASH=a#b\n' });
    expect(await vault.text('HASH')).toBe('a#b');
    await vault.put('db', '{"password":"pw"}');
    writeFileSync(vault.in('app.env'), 'PW=vault:///db#password\n');
    const { stdout } = await vault.ok(['exec', '--env-file', 'app.env', '--', 'printenv', 'PW']);
    expect(stdout.toString()).toBe('pw\n');
  });

  scenario('takes JSON, and standard input', async (vault) => {
    writeFileSync(vault.in('x.json'), '{"A":"1","B":"two","__proto__":"three"}');
    await vault.ok(['import', 'x.json']);
    expect(await vault.text('__proto__')).toBe('three');
    await vault.ok(['import', '-', '--format', 'dotenv'], { input: 'FROM_PIPE=yes\n' });
    expect(await vault.text('FROM_PIPE')).toBe('yes');
  });

  scenario('refuses what it cannot read, without quoting it, and takes nothing of it', async (vault) => {
    const cases: readonly (readonly [string, string])[] = [
      ['bad.json', `{"A":"${vault.canary.value}"`],
      ['list.json', `["${vault.canary.value}"]`],
      ['bad.env', `A=${vault.canary.value}\nB="${vault.canary.value}\n`],
      ['worse.env', `A=x\n${vault.canary.value}\n`],
    ];
    for (const [name, content] of cases) {
      writeFileSync(vault.asked(vault.in(name)), content);
      const { status, stdout } = await vault.run(['import', name]);
      expect([name, stdout.toString()]).toEqual([name, '']);
      if (name.endsWith('.json')) expect([name, status]).toEqual([name, 2]);
      if (status !== 0) expect(await vault.json(['ls'])).toHaveLength(1);
    }
    await vault.fails(3, ['import', 'absent']);
  });
});

describe('status and audit', () => {
  scenario('status tells what is there', async (vault) => {
    await vault.put('old', 'x', '--expires', '2020-01-01T00:00:00Z');
    await vault.put('gone', 'x');
    await vault.ok(['rm', 'gone']);
    const logSize = statSync(vault.log).size;
    expect(await vault.json(['status'])).toEqual({
      path: vault.file,
      vaultId: expect.stringMatching(/^[\w-]{22}$/u) as unknown,
      format: 1,
      generation: 5,
      updated: time,
      updatedBy: 'owner',
      principal: 'owner',
      slots: [{ type: 'passphrase', kdf: { name: 'pbkdf2-hmac-sha256', iterations: 100_000 } }],
      principals: 1,
      sizeBytes: expect.any(Number) as unknown,
      auditLog: vault.log,
      backend: 'file',
      cipher: 'AES-256-GCM',
      statistics: {
        operations: [
          { operation: 'init', ok: 1, failed: 0 },
          { operation: 'log', ok: 1, failed: 0 },
          { operation: 'put', ok: 3, failed: 0 },
          { operation: 'rm', ok: 1, failed: 0 },
        ],
        total: 6,
        failed: 0,
        failedUnlocks: 0,
        last: { time, operation: 'rm', success: true },
        head: { log: expect.stringMatching(/^[\w-]{22}$/u) as unknown, sequence: 6 },
        records: 6,
        unreadable: 0,
        sizeBytes: logSize,
      },
      environments: ['development', 'staging', 'production', 'testing'].map((name) => ({
        name,
        secrets: name === 'development' ? 2 : 0,
        removed: name === 'development' ? 1 : 0,
        expired: name === 'development' ? 1 : 0,
        expiringSoon: expect.any(Number) as unknown,
        overdue: 0,
        neverRotated: 0,
        pending: 0,
        nextExpiry: null,
        keysSince: time,
        rekeyDue: false,
      })),
      rekeyDue: [],
      tokensToReissue: [],
      rotationsUnderWay: [],
    });
    await vault.fails(3, ['get', 'absent']);
    const text = (await vault.ok(['status'])).stdout.toString();
    expect(text).toMatch(/^ENVIRONMENT +SECRETS +EXPIRED +EXPIRING +DUE +NEVER ROTATED +PENDING +REMOVED$/mu);
    expect(text).toMatch(/^development +2 +1 +0 +0 +0 +0 +1$/mu);
    expect(text).toMatch(/^\(all\) +2 +1 +0 +0 +0 +0 +1$/mu);
    expect(text).toMatch(/^format .* bytes in a file$/mu);
    expect(text).toMatch(/^audit log .*\.audit\.jsonl, 8 records, \d+ bytes$/mu);
    expect(text).toMatch(
      /^operations +8, of these 1 failed \(0 to unlock\); the last: get \(failed\) at 20/mu,
    );
  });

  scenario('audit tells who did what, failures too', async (vault) => {
    await vault.text('canary');
    await vault.fails(3, ['get', 'absent']);
    await vault.fails(4, ['get', 'canary'], { env: { VAULT_PASSPHRASE: 'wrong' } });
    await vault.fails(8, ['put', 'canary', '--if-absent'], { input: 'x' });
    const all = (await vault.json(['audit'])) as {
      sequence: number;
      operation: string;
      success: boolean;
      code: string | null;
    }[];
    expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, index) => index + 1));
    expect(all.map(({ operation, success, code }) => [operation, success, code])).toEqual([
      ['log', true, null],
      ['init', true, null],
      ['put', true, null],
      ['get', true, null],
      ['get', false, 'SECRET_NOT_FOUND'],
      ['unlock', false, null],
      ['put', false, 'ALREADY_EXISTS'],
    ]);
    expect(all[3]).toEqual({
      sequence: 4,
      time,
      operation: 'get',
      success: true,
      code: null,
      principal: 'owner',
      environment: 'development',
      secrets: [{ environment: 'development', name: 'canary', version: 1 }],
      detail: null,
      context: {
        user: expect.any(String) as unknown,
        host: expect.any(String) as unknown,
        address: '',
        program: expect.any(String) as unknown,
        session: expect.any(String) as unknown,
      },
    });
    expect(await vault.json(['audit', '--failed', '--last', '1'])).toMatchObject([
      { code: 'ALREADY_EXISTS' },
    ]);
    expect(await vault.json(['audit', '--op', 'get'])).toHaveLength(2);
    expect(await vault.json(['audit', '--name', 'canary'])).toHaveLength(3);
    expect(await vault.json(['audit', '--by', 'owner', '--since', '1h', '--op', 'init'])).toHaveLength(1);
    expect(await vault.json(['audit', '--since', '2035-01-01T00:00:00Z'])).toEqual([]);
    expect(await vault.json(['audit', '--name', 'never/there'])).toEqual([]);
    expect(readFileSync(vault.log, 'utf8')).not.toContain('canary');
  });

  scenario('a log where the vault writes its own files is refused, and nothing is touched', async (vault) => {
    const before = readFileSync(vault.file);
    for (const file of [vault.file, `${vault.file}.new`]) {
      const env = { VAULT_AUDIT_FILE: file };
      expect(await vault.fails(2, ['put', 'x', '--generate'], { env })).toContain('needs this name itself');
    }
    copyFileSync(vault.file, vault.in('log.new'));
    const env = { VAULT_AUDIT_FILE: vault.in('log') };
    await vault.fails(2, ['get', 'canary', '--vault', 'log.new'], { env });
    expect(readFileSync(vault.file)).toEqual(before);
    await vault.ok(['verify']);
  });

  scenario('audit goes on where VAULT_AUDIT_FILE says', async (vault) => {
    const env = { VAULT_AUDIT_FILE: vault.in('elsewhere.jsonl') };
    await vault.ok(['put', 'x', '--generate'], { env });
    const text = readFileSync(vault.in('elsewhere.jsonl'), 'utf8');
    expect(text).toMatch(/"op":"put"/u);
    await vault.ok(['verify'], { env });
    await vault.ok(['verify']);
  });
});

describe('passwd', () => {
  scenario('takes the old passphrase away', async (vault) => {
    writeFileSync(vault.in('new'), 'another passphrase\n');
    await vault.ok(['passwd', '--new-passphrase-file', 'new', ...fastKdf]);
    const fresh = { env: { VAULT_PASSPHRASE: 'another passphrase' }, shows: true };
    await vault.fails(4, ['get', 'canary']);
    const { stdout } = await vault.ok(['get', 'canary'], fresh);
    expect(stdout.toString()).toBe(vault.canary.value);
    await vault.ok(['verify'], fresh);
    await vault.fails(4, ['passwd', '--new-passphrase-file', 'new', ...fastKdf]);
    writeFileSync(vault.in('empty'), '\n');
    await vault.fails(2, ['passwd', '--new-passphrase-file', 'empty', ...fastKdf], fresh);
    await vault.ok(['passwd', '--new-passphrase-file', '-', '--kdf', 'pbkdf2', '--iterations', '100001'], {
      ...fresh,
      input: `${passphrase}\n`,
    });
    expect(await vault.text('canary')).toBe(vault.canary.value);
    expect(await vault.json(['status'])).toMatchObject({ slots: [{ kdf: { iterations: 100_001 } }] });
    const { stdout: log } = await vault.ok(['audit', '--op', 'passwd', '--json']);
    expect(JSON.parse(log.toString())).toHaveLength(2);
  });

  async function kdfAfterPasswd(vault: BinaryVault): Promise<unknown> {
    writeFileSync(vault.in('new'), 'another passphrase\n');
    await vault.ok(['passwd', '--new-passphrase-file', 'new']);
    const env = { VAULT_PASSPHRASE: 'another passphrase' };
    const [slot] = (await vault.json(['slot', 'ls'], { env })) as { kdf: unknown }[];
    return slot?.kdf;
  }

  scenario('moves PBKDF2 to Argon2id', async (vault) => {
    const kdf = { name: 'argon2id', memoryKiB: 65_536, passes: 3, lanes: 1 };
    expect(await kdfAfterPasswd(vault)).toEqual(kdf);
  });

  scenario('stays with PBKDF2, at today’s cost, where the policy wants it', async (vault) => {
    await vault.ok(['policy', 'set', 'kdf.function', 'pbkdf2']);
    expect(await kdfAfterPasswd(vault)).toEqual({ name: 'pbkdf2-hmac-sha256', iterations: 600_000 });
  });

  scenario('never replaces parameters by a smaller default', async (vault) => {
    writeFileSync(vault.in('first'), 'first\n');
    await vault.ok(['passwd', '--new-passphrase-file', 'first', '--memory', '80', '--passes', '3']);
    writeFileSync(vault.in('new'), 'another passphrase\n');
    await vault.ok(['passwd', '--new-passphrase-file', 'new'], { env: { VAULT_PASSPHRASE: 'first' } });
    const env = { VAULT_PASSPHRASE: 'another passphrase' };
    expect(await vault.json(['slot', 'ls'], { env })).toMatchObject([
      { kdf: { memoryKiB: 81_920, passes: 3 } },
    ]);
  });
});
