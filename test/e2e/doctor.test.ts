/** `vault doctor` as people and pipelines use it. docs/health.md. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { execFileSync } from 'node:child_process';
import { addToken, holding } from '../support/binary-team.ts';
import { scenario, type BinaryVault, type RunOptions } from '../support/binary-vault.ts';
import { spoiled } from '../support/spoiled-vault.ts';
import { lacking, skipped } from '../support/tools.ts';

const noOpenssl = lacking('openssl');

/** What these vaults have by how they are made: a single administrator, and a passphrase that is stretched for tests. */
const known = ['--ignore', 'kdf-weak', '--ignore', 'single-administrator'] as const;

interface Report {
  readonly ok: boolean;
  readonly findings: readonly {
    readonly id: string;
    readonly severity: string;
    readonly names: readonly string[];
  }[];
  readonly counts: Readonly<Record<string, number | null>>;
  readonly ignored: number;
}

async function report(vault: BinaryVault, ...args: readonly string[]): Promise<Report> {
  return (await vault.json(['doctor', ...args])) as Report;
}

const strict = async (
  vault: BinaryVault,
  args: readonly string[] = [],
  options?: RunOptions,
): Promise<number> => (await vault.run(['doctor', '--strict', ...known, ...args], options)).status;

describe('vault doctor', () => {
  scenario('says what is wrong and how to mend it, and 0', async (vault) => {
    await vault.put('db/password', 'hunter2', '--type', 'password');
    await vault.put('mail', 'hunter2', '--type', 'password', '-e', 'production');
    const { stdout, stderr } = await vault.ok(['doctor']);
    const text = stdout.toString();
    expect(stderr).toBe('');
    expect(text).toContain('  development: a value is easy to guess: "db/password"\n');
    expect(text).toContain('    [weak-value] a strong one: `vault rotate db/password -e development`\n');
    expect(text).toContain('"vault://development/db/password", "vault://production/mail"');
    expect(text).toMatch(/\n3 secrets in 4 environments: 5 warnings, 1 note\n$/u);
    expect(text).not.toContain('hunter2');
    expect(readFileSync(vault.log, 'utf8')).not.toContain('hunter2');
    const one = (await vault.ok(['doctor', '-e', 'production'])).stdout.toString();
    expect(one).not.toContain('db/password');
    expect(one).toMatch(/\n1 secret in 1 environment: 3 warnings, 1 note\n$/u);
  });

  scenario('is one record, which who-saw does not count', async (vault) => {
    await vault.ok(['doctor']);
    expect(await vault.json(['audit', '--last', '1'])).toMatchObject([
      { operation: 'doctor', success: true, secrets: [] },
    ]);
    expect(await vault.json(['audit', 'who-saw', 'canary'])).toMatchObject([{ how: 'brought' }]);
  });

  scenario('shows no value of any kind', async (vault) => {
    for (const [index, type] of [
      'password',
      'token',
      'api-key',
      'other',
      'note',
      'encryption-key',
    ].entries()) {
      await vault.put(`${type}/${index}`, vault.canary.value, '--type', type);
      await vault.put(`${type}/${index}`, vault.canary.value, '--type', type, '-e', 'production');
    }
    await vault.put(
      'db',
      `{"host":"h","username":"u","password":"${vault.canary.value}"}`,
      '--type',
      'database-credential',
    );
    for (const flags of [[], ['--json'], ['--debug']]) await vault.ok(['doctor', ...flags]);
    vault.expectNoLeak();
  });

  scenario('--strict is 1 for problems and warnings, never for notes or what is ignored', async (vault) => {
    expect(await strict(vault)).toBe(0);
    expect((await vault.run(['doctor', '--strict'])).status).toBe(1);
    expect(await report(vault, ...known)).toMatchObject({
      ok: true,
      ignored: 2,
      findings: [{ severity: 'note' }],
    });
    await vault.put('a', 'short', '--type', 'token');
    expect(await strict(vault)).toBe(1);
    expect(await strict(vault, ['--ignore', 'weak-value'])).toBe(0);
    expect(await strict(vault, ['-e', 'production'])).toBe(0);
    await vault.ok(['rotate', 'a']);
    expect(await strict(vault)).toBe(0);
    chmodSync(vault.file, 0o666);
    expect(await strict(vault, ['--ignore', 'readable-by-others'])).toBe(1);
    expect((await vault.run(['doctor'])).status).toBe(0);
    chmodSync(vault.file, 0o600);
    expect(await strict(vault)).toBe(0);
  });

  scenario(
    'an id that there is not, or that cannot be ignored, is refused before anybody unlocks',
    async (vault) => {
      const env = { VAULT_PASSPHRASE: undefined };
      for (const id of ['nothing', 'secret-damaged', 'audit-log-damaged', ''])
        await vault.fails(2, ['doctor', '--ignore', id, '--no-input'], { env });
      await vault.fails(2, ['doctor', '-e', 'nowhere']);
    },
  );

  scenario('a secret that does not hold together is 7, and the others are told', async (vault) => {
    await vault.put('weak', 'abc', '--type', 'token', '-e', 'production');
    await spoiled(vault);
    for (const flags of [[], ['--strict']]) {
      const ended = await vault.run(['doctor', '--json', ...flags]);
      expect(ended.status).toBe(7);
      expect(JSON.parse(ended.stderr)).toMatchObject({ code: 'INTEGRITY' });
      const { ok, findings, counts } = JSON.parse(ended.stdout.toString()) as Report;
      expect(ok).toBe(false);
      expect(counts).toMatchObject({ damaged: 1, weak: 1 });
      expect(findings).toContainEqual(
        expect.objectContaining({
          id: 'secret-damaged',
          severity: 'problem',
          environment: 'production',
          names: ['db'],
        }),
      );
      expect(findings).toContainEqual(expect.objectContaining({ id: 'weak-value', names: ['weak'] }));
    }
    const status = await vault.ok(['status']);
    expect(status.stderr).toContain('`vault doctor` names it');
  });

  scenario('a log that was changed is 7', async (vault) => {
    for (let times = 0; times < 2; times++) await vault.ok(['ls']);
    writeFileSync(vault.log, readFileSync(vault.log, 'utf8').replace('"op":"ls"', '"op":"sl"'));
    const ended = await vault.run(['doctor']);
    expect([ended.status, ended.stdout.toString()]).toEqual([
      7,
      expect.stringContaining('[audit-log-damaged]'),
    ]);
  });

  scenario('a value that is made to trip it trips nobody', async (vault) => {
    await vault.put('api', String.raw`{"key":"\ud800aaaaaaa"}`, '--type', 'api-key');
    const credential = String.raw`{"host":"h","username":"u","password":"\ud800"}`;
    await vault.put('db', credential, '--type', 'database-credential');
    await vault.put('url', 'postgres://app:hunter2@db/app');
    const { findings } = await report(vault);
    const weak = findings.filter(({ id }) => id === 'weak-value').flatMap(({ names }) => names);
    expect(weak.toSorted()).toEqual(['api', 'db', 'url']);
  });

  scenario('a file that opens the vault is for its owner alone', async (vault) => {
    const file = vault.in('passphrase');
    writeFileSync(file, 'a passphrase that is not asked for', { mode: 0o600 });
    const env = { VAULT_PKCS11_PIN_FILE: 'passphrase', VAULT_AGE_IDENTITY: '-' };
    expect(await strict(vault, [], { env })).toBe(0);
    chmodSync(file, 0o644);
    const { stdout } = await vault.run(['doctor', '--json'], { env });
    expect((JSON.parse(stdout.toString()) as Report).findings).toContainEqual(
      expect.objectContaining({ id: 'credential-readable-by-others', names: [file] }),
    );
    expect(await strict(vault, [], { env })).toBe(1);
  });

  scenario(
    'an old value past its grace, until it is let go; a hook that is lost or not accepted',
    async (vault) => {
      await vault.put('a', 'one');
      await vault.put('b', 'one');
      await vault.ok(['hook', 'set', 'smtp', '--apply', 'true', '--check', 'true', '--retire', 'true']);
      await vault.ok(['hook', 'set', 'lost', '--apply', 'true']);
      await vault.ok(['hook', 'use', 'smtp', 'a']);
      await vault.ok(['hook', 'use', 'lost', 'b']);
      await vault.ok(['rotate', 'a', '--grace', '1s']);
      await vault.ok(['hook', 'rm', 'lost']);
      await vault.ok(['hook', 'trust', 'smtp', '--forget']);
      const { graceUntil } = (await vault.json(['show', 'a'])) as { graceUntil: string };
      while (Date.now() <= Date.parse(graceUntil)) await new Promise((resolve) => setTimeout(resolve, 20));
      const ids = async (): Promise<string[]> =>
        (await report(vault, ...known)).findings.map(({ id }) => id).toSorted();
      expect(await ids()).toEqual([
        'grace-over',
        'hook-missing',
        'hook-not-accepted',
        'passphrase-in-environment',
      ]);
      await vault.ok(['hook', 'trust', 'smtp', '--yes']);
      await vault.ok(['rotate', '--retire']);
      expect(await ids()).toEqual(['hook-missing', 'passphrase-in-environment']);
      await vault.ok(['hook', 'use', 'none', 'b']);
      expect(await ids()).toEqual(['passphrase-in-environment']);
    },
  );

  scenario('a machine that may list is enough for everything but values', async (vault) => {
    const token = await addToken(vault, 'monitoring', '--can list --env development,production');
    const { stdout } = await vault.ok(['doctor', '--json'], holding(token));
    const { findings, counts } = JSON.parse(stdout.toString()) as Report;
    expect(counts).toMatchObject({ environments: 2, secrets: 1, weak: null, reused: null });
    expect(findings.map(({ id }) => id)).toEqual([
      'single-administrator',
      'values-not-read',
      'values-not-read',
      'environment-not-open',
      'environment-not-open',
    ]);
    expect(await strict(vault, [], holding(token))).toBe(0);
    await vault.fails(5, ['doctor', '-e', 'staging'], holding(token));
  });
});

describe.skipIf(noOpenssl !== '')(`a certificate near its end${skipped(noOpenssl)}`, () => {
  function certificate(vault: BinaryVault, name: string, days: number): string {
    const key = ['-newkey', 'ed25519', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.pem`];
    const args = ['req', '-x509', ...key, '-subj', `/CN=${name}`, '-days', String(days)];
    execFileSync('openssl', args, { cwd: vault.folder, stdio: 'ignore' });
    return readFileSync(vault.in(`${name}.pem`), 'utf8');
  }

  scenario('is expiring and due, without an interval, until it is renewed', async (vault) => {
    await vault.put('soon', certificate(vault, 'soon', 20), '--type', 'certificate');
    await vault.put('later', certificate(vault, 'later', 90), '--type', 'certificate');
    const listed = async (...flags: readonly string[]): Promise<string> =>
      (await vault.ok(['ls', ...flags])).stdout.toString();
    expect(await listed('--expiring', '30d')).toBe('soon\n');
    expect(await listed('--expiring', '100d')).toBe('later\nsoon\n');
    expect(await listed('--due')).toBe('soon\n');
    expect(await vault.json(['status'])).toMatchObject({
      environments: [
        { expiringSoon: 1, overdue: 1, nextExpiry: expect.stringMatching(/Z$/u) as string },
        {},
        {},
        {},
      ],
    });
    const { findings } = await report(vault);
    for (const id of ['secret-expiring', 'rotation-overdue'])
      expect(findings).toContainEqual(expect.objectContaining({ id, names: ['soon'] }));
    const { stdout } = await vault.ok(['metrics']);
    expect(stdout.toString()).toContain('vault_secrets_overdue{environment="development"} 1\n');
    expect(stdout.toString()).toMatch(
      /vault_secrets_next_expiry_timestamp_seconds\{environment="development"\} \d{10}\n/u,
    );
    certificate(vault, 'renewed', 90);
    await vault.ok(['rotate', '--due', '--command', 'cat renewed.pem']);
    expect(await listed('--due')).toBe('');
    expect(await listed('--expiring', '30d')).toBe('');
  });
});
