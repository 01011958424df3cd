/**
 * Rotation in two phases against a real PostgreSQL: the value that the vault calls current logs in, whatever fails between, and after
 * `rotate --resume` wherever the program was killed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addToken, holding } from '../support/binary-team.ts';
import { BinaryVault } from '../support/binary-vault.ts';
import { Postgres, postgresMissing } from '../support/postgres.ts';
import { skipped } from '../support/tools.ts';

const missing = await postgresMissing();

/** As documentation has it: no value is ever an argument. */
const set = (from: string, to: string): string =>
  `PGPASSWORD="$${from}" psql -Xq -v ON_ERROR_STOP=1 <<'SQL'\n\\getenv password ${to}\nALTER ROLE app PASSWORD :'password';\nSQL`;
const apply = set('VAULT_OLD_VALUE', 'VAULT_NEW_VALUE');
const undo = set('VAULT_NEW_VALUE', 'VAULT_OLD_VALUE');
const check = `PGPASSWORD="$VAULT_NEW_VALUE" psql -XAtqc 'select 1' > /dev/null`;
/** The shell that runs a hook is a child of the program. */
const killed = 'kill -9 $PPID; wait';

describe.skipIf(missing !== null)(`against PostgreSQL${skipped(missing ?? '')}`, () => {
  const superuser = 'of the superuser';
  let server: Postgres;
  let vault: BinaryVault;
  let token: string;

  beforeAll(async () => {
    server = await Postgres.start(superuser);
    vault = await BinaryVault.make();
    token = (await vault.ok(['slot', 'add', '--token', '-q'])).stdout.toString().trim();
    server.sql('postgres', superuser, `CREATE ROLE app LOGIN PASSWORD 'first'`);
    await vault.put('db', 'first');
  }, 60_000);

  afterAll(() => {
    server.stop();
  });

  const environment = (): Record<string, string | undefined> => ({
    ...server.environment('app', ''),
    VAULT_ACCESS_TOKEN: token,
  });
  const run = async (...args: readonly string[]): Promise<number> =>
    (await vault.run(['rotate', ...args], { env: environment() })).status;
  const current = async (): Promise<string> =>
    (await vault.ok(['get', 'db'], { env: environment() })).stdout.toString();
  const hooks = (change: Partial<Record<'apply' | 'check' | 'undo', string>> = {}): string[] =>
    Object.entries({ apply, check, undo, ...change }).flatMap(([step, command]) => [`--${step}`, command]);

  test('the new value logs in, the old one does not any more, and neither is told', async () => {
    const old = await current();
    const ended = await vault.run(['rotate', 'db', ...hooks()], { env: environment() });
    expect([ended.status, ended.stdout.toString()]).toEqual([0, '']);
    const value = await current();
    expect(value).not.toBe(old);
    expect([server.accepts('app', value), server.accepts('app', old)]).toEqual([true, false]);
    expect(ended.stderr).not.toContain(value);
  });

  test('a failing check takes it back: old is current and logs in; the log tells every step', async () => {
    const old = await current();
    expect(await run('db', ...hooks({ check: 'false' }))).toBe(9);
    expect(await current()).toBe(old);
    expect(server.accepts('app', old)).toBe(true);
    const steps = (await vault.json(['audit', '--name', 'db', '--last', '7'])) as {
      operation: string;
      code: string | null;
    }[];
    expect(steps.slice(0, 6).map(({ operation, code }) => [operation, code])).toEqual([
      ['rotate-old', null],
      ['rotate-stage', null],
      ['rotate-apply', null],
      ['rotate-check', 'HOOK_FAILED'],
      ['rotate-undo', null],
      ['rotate-withdraw', null],
    ]);
  });

  test('a failing apply changes nothing', async () => {
    const old = await current();
    expect(await run('db', ...hooks({ apply: 'false', undo: 'true' }))).toBe(9);
    expect([await current(), server.accepts('app', old)]).toEqual([old, true]);
  });

  test('where undo fails as well, the staged value stays pending, and resuming ends it', async () => {
    expect(await run('db', ...hooks({ check: 'false', undo: 'false' }))).toBe(9);
    expect(await run('--resume', ...hooks())).toBe(0);
    expect(server.accepts('app', await current())).toBe(true);
  });

  const kills: Record<string, string[]> = {
    'before apply does anything': hooks({ apply: killed }),
    'when apply has done it': hooks({ apply: `${apply}\n${killed}` }),
    'before check looks': hooks({ check: killed }),
    'when check has seen it': hooks({ check: `${check} && ${killed}` }),
    'before undo does anything': hooks({ check: 'false', undo: killed }),
    'when undo has done it': hooks({ check: 'false', undo: `${undo}\n${killed}` }),
  };

  test.each(Object.entries(kills))(
    'killed %s, eight times: what is current logs in after --resume',
    async (_, args) => {
      for (let i = 0; i < 8; i++) {
        expect(await run('db', ...args)).toBe(137);
        // The next command says what is under way.
        await vault.fails(8, ['put', 'db'], { env: environment(), input: 'x' });
        expect(await run('--resume', ...hooks())).toBe(0);
        const value = await current();
        expect(server.accepts('app', value)).toBe(true);
      }
      await vault.ok(['verify']);
    },
    60_000,
  );

  test('what was interrupted can be taken back instead', async () => {
    const old = await current();
    expect(await run('db', ...(kills['before check looks'] ?? []))).toBe(137);
    expect(server.accepts('app', old)).toBe(false);
    expect(await run('--abandon', 'db', '--undo', undo)).toBe(0);
    expect([await current(), server.accepts('app', old)]).toEqual([old, true]);
    expect(await run('--resume', ...hooks())).toBe(0);
    vault.expectNoLeak();
  });
});

describe('many at once', () => {
  /** Due a second after it was stored: the clock of the next command is put forward instead of waiting. */
  async function due(count: number): Promise<BinaryVault> {
    const vault = await BinaryVault.make();
    const names = Array.from({ length: count }, (_, i) => `service/${i}`);
    writeFileSync(
      vault.in('all.json'),
      JSON.stringify(Object.fromEntries(names.map((name) => [name, 'old']))),
    );
    await vault.ok(['import', 'all.json']);
    return vault;
  }

  test('1,000 secrets in one run, with one unlock and a report that adds up', async () => {
    const vault = await due(1_000);
    const before = (await vault.json(['audit', '--last', '1'])) as { sequence: number }[];
    const { results } = (await vault.json(['rotate', '--all', '--generate', 'hex:8'])) as {
      results: { name: string; version: number | null }[];
    };
    expect(results).toHaveLength(1_001);
    expect(new Set(results.map(({ version }) => version))).toEqual(new Set([2]));
    for (const name of ['service/0', 'service/999'])
      expect(await vault.text(name)).toMatch(/^[0-9a-f]{16}$/u);
    const records = (await vault.json(['audit', '--last', '10'])) as {
      sequence: number;
      operation: string;
    }[];
    const own = records
      .filter(({ sequence }) => sequence > (before[0]?.sequence ?? 0))
      .map(({ operation }) => operation);
    expect(own).toEqual(['audit', 'rotate-list', 'rotate', 'get', 'get']);
    await vault.ok(['verify']);
  }, 60_000);

  test('hooks run for each, several at a time; what fails is told, and keeps its value', async () => {
    const vault = await due(12);
    const bring =
      'test "$VAULT_SECRET_NAME" != service/3 && printf %s "$VAULT_NEW_VALUE" > "$(basename "$VAULT_SECRET_NAME")"';
    const compare = 'test "$(cat "$(basename "$VAULT_SECRET_NAME")")" = "$VAULT_NEW_VALUE"';
    const ended = await vault.run([
      'rotate',
      '--all',
      '--apply',
      bring,
      '--check',
      compare,
      '--jobs',
      '5',
      '--json',
    ]);
    expect(ended.status).toBe(1);
    const { results } = JSON.parse(ended.stdout.toString()) as {
      results: { name: string; version: number | null; code: string | null }[];
    };
    expect(results).toHaveLength(13);
    expect(results.filter(({ version }) => version === null)).toMatchObject([
      { name: 'service/3', code: 'HOOK_FAILED' },
    ]);
    expect(await vault.text('service/3')).toBe('old');
    for (const number of [0, 7, 11])
      expect(await vault.text(`service/${number}`)).toBe(readFileSync(vault.in(String(number)), 'utf8'));
    await vault.ok(['verify']);
  }, 60_000);

  test('one that is under way already fails alone', async () => {
    const vault = await due(3);
    const ended = await vault.run(['rotate', 'service/1', '--apply', 'false', '--undo', 'false']);
    expect(ended.status).toBe(9);
    const { results } = JSON.parse(
      (await vault.run(['rotate', '--all', '--generate', '--json'])).stdout.toString(),
    ) as {
      results: { name: string; version: number | null }[];
    };
    expect(results.filter(({ version }) => version === null).map(({ name }) => name)).toEqual(['service/1']);
    expect(await vault.text('service/2')).not.toBe('old');
  });

  test('only what is past its interval, of a type, with a tag', async () => {
    const vault = await BinaryVault.make();
    await vault.put('old', 'x', '--rotate-every', '1s', '--tag', 'team=core');
    await vault.put('other', 'x', '--rotate-every', '1s');
    await vault.put('young', 'x', '--rotate-every', '30d', '--tag', 'team=core');
    await vault.put('tls', 'x', '--rotate-every', '1s', '--type', 'certificate');
    const versions = async (): Promise<unknown> =>
      Promise.all(
        ['old', 'other', 'young', 'tls'].map(
          async (name) => ((await vault.json(['show', name])) as { version: number }).version,
        ),
      );
    // A second is over when the clock says so.
    while (((await vault.json(['ls', '--due'])) as unknown[]).length < 3);
    expect((await vault.run(['rotate', '--due', '--dry-run'])).status).toBe(1);
    await vault.ok(['rotate', '--due', '--dry-run', '--type', 'other']);
    expect(await versions()).toEqual([1, 1, 1, 1]);
    await vault.ok(['rotate', '--due', '--tag', 'team=core']);
    expect(await versions()).toEqual([2, 1, 1, 1]);
    expect((await vault.run(['rotate', '--due'])).status).toBe(1);
    expect((await versions()) as number[]).toMatchObject({ 1: 2, 2: 1, 3: 1 });
    await vault.ok(['rotate', '--due', '--type', 'certificate', '--command', 'echo renewed']);
    expect(await vault.text('tls')).toBe('renewed');
    for (const args of [
      ['--due', 'old'],
      ['--due', '--all'],
      ['--due', '--resume'],
      ['--all', '--if-version', '1'],
      [],
    ])
      await vault.fails(2, ['rotate', ...args]);
  }, 60_000);

  test.each([
    '--all --undo true',
    '--all --resume --check true',
    '--due --abandon',
    '--all --due',
    '--all --if-version 1',
    'name --all',
    'name --undo true',
  ])('what does not go together is refused: %s', async (args) => {
    const vault = await BinaryVault.make();
    await vault.fails(2, ['rotate', ...args.split(' ')]);
  });

  test('an administrator ends what others began by its name only', async () => {
    const vault = await BinaryVault.make();
    await vault.put('db', 'old');
    const token = await addToken(vault, 'ci', '--can read,rotate --env development');
    await vault.fails(9, ['rotate', 'db', '--apply', 'false', '--undo', 'false'], holding(token));
    const ended = await vault.ok(['rotate', '--abandon']);
    expect(ended.stderr).toContain('"db" in development is being rotated by ci');
    await vault.ok(['rotate', '--abandon', 'db']);
    await vault.fails(3, ['rotate', '--abandon', 'db']);
    expect(await vault.text('db')).toBe('old');
  });
});
