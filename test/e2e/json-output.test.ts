/** What each command prints with --json is what its published schema says (docs/schemas/). */
import { rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { backupRuns } from '../support/backups.ts';
import { agedVault } from '../support/aged-vault.ts';
import { fastKdf, scenario, type BinaryVault } from '../support/binary-vault.ts';
import { otherSchemas } from '../support/json-commands.ts';
import type { Run } from '../support/json-run.ts';
import { problemsWith, schemaNames } from '../support/published-schemas.ts';
import { asAda, leaveMark, loseAdministrator, sharingRuns } from '../support/sharing-runs.ts';

const input = 'value';

/** Everything that a secret can have. */
async function rich(vault: BinaryVault): Promise<void> {
  const flags = [
    '--type',
    'token',
    '--description',
    'd',
    '--tag',
    'a=b',
    '--tag',
    '__proto__=c',
    '--var',
    'RICH',
  ];
  await vault.put('rich', 'one', ...flags, '--expires', '2y', '--rotate-every', '30d');
  await vault.put('rich', 'two');
  await vault.put('bare', '');
}

const removed = async (vault: BinaryVault): Promise<unknown> => {
  await vault.put('gone', 'x');
  return vault.ok(['rm', 'gone']);
};

/** A rotation that nobody could end: neither did it work, nor could it be taken back. */
const interrupt = async (vault: BinaryVault): Promise<unknown> =>
  vault.fails(9, ['rotate', 'canary', '--apply', 'true', '--check', 'false', '--undo', 'false']);

const hooked = async (vault: BinaryVault): Promise<unknown> => {
  await vault.ok(['hook', 'set', 'x', '--apply', 'true', '--check', 'true', '--retire', 'true']);
  return vault.ok(['hook', 'use', 'x', 'canary']);
};

const stored = { environment: 'development', dryRun: false };

/** By the name of the schema. Add a line for a command that is new. */
const runs: Readonly<Record<string, readonly Run[]>> = {
  ...sharingRuns,
  ...backupRuns,
  init: [
    { args: ['init', 'a.vault', ...fastKdf, '--no-recovery'] },
    { args: ['init', '--user', ...fastKdf, '--recovery-file', 'key'] },
  ],
  import: [
    {
      before: async (vault) => {
        writeFileSync(vault.in('.env'), 'A=1\ncanary=2\nnonsense\nA=3\n');
      },
      args: ['import', '.env'],
      like: { added: ['A'], changed: ['canary'], dryRun: false },
    },
    { args: ['import', '.env', '--dry-run'], like: { unchanged: ['A', 'canary'], dryRun: true } },
  ],
  put: [
    { args: ['put', 'a'], input, like: { ...stored, version: 1, created: true } },
    { args: ['put', 'a', '--generate', '--dry-run'], like: { version: 2, dryRun: true } },
    { before: removed, args: ['put', 'gone'], input, like: { revived: true } },
  ],
  generate: [{ args: ['generate', 'a'], like: { ...stored, created: true } }],
  get: [
    { before: rich, args: ['get', 'rich'], like: { value: 'two', tags: { a: 'b' } } },
    { args: ['get', 'rich', '--version', '1'], like: { value: 'one', version: 1 } },
    { args: ['get', 'bare'], like: { value: '', variable: null, expires: null } },
    {
      before: async (vault) => vault.put('binary', Uint8Array.of(0xff, 0, 0xfe)),
      args: ['get', 'binary'],
      like: { valueBase64: '/wD+' },
    },
  ],
  ls: [
    { before: rich, args: ['ls'], like: [{ name: 'bare' }, { name: 'canary' }, { name: 'rich' }] },
    { before: removed, args: ['ls', '--removed'], like: [{ removed: expect.any(String) as unknown }] },
    { args: ['ls', '--all-environments', '--tag', 'a=b'], like: [{ name: 'rich' }] },
    { args: ['ls', 'nothing'], like: [] },
  ],
  show: [{ before: rich, args: ['show', 'rich'], like: { rotateEverySeconds: 2_592_000, version: 2 } }],
  history: [{ before: rich, args: ['history', 'rich'], like: { purgedThrough: 0 } }],
  rm: [
    { before: removed, args: ['rm', 'canary'], like: { purged: false, environment: 'development' } },
    { args: ['rm', 'gone', '--purge', '--yes'], like: { purged: true } },
  ],
  restore: [
    { before: removed, args: ['restore', 'gone'], like: { name: 'gone', environment: 'development' } },
  ],
  mv: [
    { args: ['mv', 'canary', 'moved'], like: { from: 'canary', name: 'moved', environment: 'development' } },
  ],
  cp: [
    { before: rich, args: ['cp', 'rich', 'copy'], like: { ...stored, name: 'copy' } },
    { args: ['cp', 'rich', 'rich', '--to-env', 'production'], like: { environment: 'production' } },
  ],
  rotate: [
    { args: ['rotate', 'canary'], like: { version: 2 } },
    { args: ['rotate', 'canary', '--apply', 'true', '--check', 'true'], like: { version: 3 } },
    {
      before: async (vault) => interrupt(vault),
      args: ['rotate', '--resume', '--check', 'true'],
      like: [{ name: 'canary', environment: 'development', version: 4 }],
    },
    { before: async (vault) => interrupt(vault), args: ['rotate', '--abandon'], like: [{ version: 5 }] },
    { args: ['rotate', '--resume', '--check', 'true'], like: [] },
    {
      before: async (vault) => {
        await hooked(vault);
        await vault.ok(['rotate', 'canary', '--grace', '1d']);
      },
      args: ['rotate', '--retire', 'canary'],
      like: [{ name: 'canary', retired: true, reason: null }],
    },
    { args: ['rotate', '--retire'], like: [] },
    {
      before: async (vault) => vault.ok(['hook', 'use', 'none', 'canary']),
      args: ['rotate', '--retire'],
      like: [],
    },
    { args: ['rotate', '--due'], like: { dryRun: false, results: [] } },
    {
      args: ['rotate', '--all', '--generate'],
      like: {
        results: [{ name: 'canary', environment: 'development', version: 7, code: null, reason: null }],
      },
    },
    {
      before: async (vault) => vault.put('tls', 'x', '--type', 'certificate'),
      args: ['rotate', '--all', '--type', 'certificate', '--dry-run'],
      status: 1,
      like: { dryRun: true, results: [{ name: 'tls', version: null, code: 'USAGE' }] },
    },
  ],
  undo: [
    {
      before: async (vault) => vault.put('fresh', 'x'),
      args: ['undo', '--dry-run'],
      like: { operation: 'put', redo: false, dryRun: true, secrets: [{ name: 'fresh', state: 'removed' }] },
    },
    { args: ['undo'], like: { operation: 'put', dryRun: false, secrets: [{ version: 1, valueOf: null }] } },
    { args: ['undo', '--redo'], like: { redo: true, secrets: [{ name: 'fresh', state: 'restored' }] } },
    {
      before: async (vault) => vault.ok(['mv', 'fresh', 'new']),
      args: ['undo'],
      like: { operation: 'mv', secrets: [{ name: 'fresh', renamedFrom: 'new' }] },
    },
    {
      before: async (vault) => vault.put('fresh', 'y', '--tag', 'a=b'),
      args: ['undo'],
      like: { secrets: [{ version: 3, valueOf: 1, metadata: true, state: 'there' }] },
    },
  ],
  rollback: [{ before: rich, args: ['rollback', 'rich', '--to', '1'], like: { version: 3 } }],
  verify: [
    { args: ['verify'], like: { secrets: 1 } },
    { args: ['verify', 'canary'], input, status: 1, like: { same: false } },
  ],
  audit: [
    {
      before: async (vault) => {
        await rich(vault);
        await vault.fails(3, ['get', 'absent']);
        await vault.fails(4, ['ls'], { env: { VAULT_PASSPHRASE: 'wrong' } });
        await vault.ok(['rm', 'bare', '--purge', '--yes']);
      },
      args: ['audit'],
      like: expect.arrayContaining([expect.objectContaining({ code: 'SECRET_NOT_FOUND' })]),
    },
    { args: ['audit', '--op', 'log'], like: [{ detail: 'new' }] },
    { args: ['audit', '--op', 'nothing'], like: [] },
  ],
  migrate: [{ args: ['migrate'], like: { format: 1, current: 1, migrated: false } }],
  'audit-verify': [
    {
      args: ['audit', 'verify'],
      like: { holds: true, first: 1, last: 3, records: 3, proven: { sequence: 3 }, unsealed: 0, pruned: 0 },
    },
    {
      before: async (vault) => {
        await vault.ok(['audit', 'checkpoint', '--out', 'checkpoint']);
        await vault.fails(4, ['ls'], { env: { VAULT_PASSPHRASE: 'wrong' } });
      },
      args: ['audit', 'verify', '--checkpoint', 'checkpoint'],
      like: { last: 6, proven: { sequence: 5 }, unsealed: 1, checkpoints: 1 },
    },
    {
      before: async (vault) => {
        rmSync(vault.log);
        vault.forget();
      },
      args: ['audit', 'verify'],
      like: { holds: true, records: 0 },
    },
    {
      before: async (vault) => {
        await agedVault(vault.in('aged.vault'));
        await vault.ok(['audit', 'prune', '--vault', 'aged.vault', '--archive', 'aged', '--yes']);
      },
      args: ['audit', 'verify', '--vault', 'aged.vault'],
      like: { first: 5, last: 6, records: 2, pruned: 4 },
    },
    {
      args: ['audit', 'verify', '--vault', 'aged.vault', '--archive', 'aged'],
      like: { first: 1, last: 7, records: 7, pruned: 0 },
    },
  ],
  'audit-prune': [
    {
      before: async (vault) => agedVault(vault.in('aged.vault')),
      args: ['audit', 'prune', '--vault', 'aged.vault', '--archive', 'kept', '--yes'],
      like: { removed: 4, first: 1, last: 4, archive: expect.stringMatching(/\/kept$/u) as unknown },
    },
    {
      args: ['audit', 'prune', '--vault', 'aged.vault', '--yes'],
      like: { removed: 0, first: null, last: null, archive: null },
    },
  ],
  'audit-who-saw': [
    {
      before: async (vault) => vault.get('canary'),
      args: ['audit', 'who-saw', 'canary'],
      like: [
        { principal: 'owner', how: 'received', operations: ['get'], versions: [1], times: 1 },
        { principal: 'owner', how: 'brought', operations: ['put'], environment: 'development' },
      ],
    },
    { args: ['audit', 'who-saw', 'canary', '--version', '2'], like: [] },
  ],
  status: [
    {
      before: async (vault) => {
        await rich(vault);
        await vault.fails(4, ['ls'], { env: { VAULT_PASSPHRASE: 'wrong' } });
      },
      args: ['status'],
      like: {
        principal: 'owner',
        backend: 'file',
        statistics: {
          operations: expect.arrayContaining([
            { operation: 'put', ok: 4, failed: 0 },
            { operation: 'unlock', ok: 0, failed: 1 },
          ]) as unknown,
          total: 7,
          failed: 1,
          failedUnlocks: 1,
          last: { operation: 'unlock', success: false },
          head: { sequence: 7 },
          records: 7,
          unreadable: 0,
        },
      },
    },
    {
      before: async (vault) => interrupt(vault),
      args: ['status'],
      like: { rotationsUnderWay: [{ name: 'canary', version: 2, by: 'owner', own: true }] },
    },
    {
      before: async (vault) => {
        await loseAdministrator(vault);
        await leaveMark(vault);
      },
      args: ['status'],
      ...asAda,
      like: {
        slots: expect.arrayContaining([{ type: 'removed', kdf: { name: 'none' } }]) as unknown,
        rekeyDue: [{ principal: 'ada' }],
        tokensToReissue: ['ci'],
        environments: expect.arrayContaining([
          expect.objectContaining({
            name: 'production',
            neverRotated: null,
            pending: null,
            nextExpiry: null,
            keysSince: null,
            rekeyDue: false,
          }),
        ]) as unknown,
      },
    },
    {
      before: async (vault) =>
        vault.ok(['init', 'key.vault', '--memory', '8', '--recovery-file', 'key', '-q']),
      args: ['status', '--vault', 'key.vault'],
      like: {
        slots: expect.arrayContaining([
          expect.objectContaining({ kdf: expect.objectContaining({ name: 'argon2id' }) as unknown }),
          { type: 'recovery', kdf: { name: 'none' } },
        ]) as unknown,
        rekeyDue: [],
        tokensToReissue: [],
      },
    },
  ],
  doctor: [
    {
      before: async (vault) => {
        await rich(vault);
        await interrupt(vault);
        await vault.put('other', 'two', '--type', 'token');
      },
      args: ['doctor'],
      like: {
        ok: false,
        findings: expect.arrayContaining([
          expect.objectContaining({ id: 'weak-value', severity: 'warning', names: ['other', 'rich'] }),
          expect.objectContaining({
            id: 'reused-value',
            environment: 'development',
            names: ['other', 'rich'],
          }),
          expect.objectContaining({ id: 'rotation-under-way', severity: 'note', names: ['canary'] }),
        ]) as unknown,
        counts: { environments: 4, secrets: 4, weak: 2, reused: 2, pending: 1, unused: 0 },
        ignored: 0,
      },
    },
    { args: ['doctor', '--strict'], status: 1, like: { ok: false } },
    {
      before: async (vault) => {
        await vault.put('monitored', 'x', '-e', 'production');
        const add = ['access', 'add', 'monitoring', '--can', 'list', '--env', 'production', '--token', '-q'];
        writeFileSync(vault.in('token'), (await vault.ok(add)).stdout);
      },
      args: ['doctor'],
      env: { VAULT_ACCESS_TOKEN_FILE: 'token', VAULT_PASSPHRASE: undefined },
      like: {
        findings: expect.arrayContaining([
          expect.objectContaining({ id: 'values-not-read', environment: 'production', names: [] }),
        ]) as unknown,
        counts: { environments: 1, secrets: 1, weak: null, reused: null },
      },
    },
  ],
  console: [
    {
      before: async (vault) => {
        await rich(vault);
        await vault.put('old', 'x', '--expires', '2020-01-01T00:00:00Z');
        await interrupt(vault);
      },
      args: ['console'],
      like: {
        secrets: [
          { name: 'bare', due: null, rotating: null },
          { name: 'canary', rotating: 'owner' },
          { name: 'old' },
          { name: 'rich', tags: { a: 'b' }, due: expect.any(String) as unknown },
        ],
        due: [{ name: 'old', environment: 'development', state: 'expired' }],
        audit: expect.arrayContaining([expect.objectContaining({ operation: 'rotate-check' })]) as unknown,
      },
    },
    { args: ['console', '-e', 'staging'], like: { secrets: [], due: [], audit: [] } },
  ],
  'hook-ls': [
    { args: ['hook', 'ls'], like: [] },
    {
      before: hooked,
      args: ['hook', 'ls'],
      like: expect.arrayContaining([
        { id: 'x', from: 'policy', does: 'apply check retire', trusted: true },
      ]) as unknown,
    },
  ],
  'hook-show': [
    {
      before: hooked,
      args: ['hook', 'show', 'x'],
      like: { from: 'policy', hook: { apply: 'true', check: 'true', retire: 'true' } },
    },
    {
      before: async (vault) =>
        vault.ok(['hook', 'set', 'r', '--use', 'redis', '--set', 'host=h', '--set', 'users=default']),
      args: ['hook', 'show', 'r'],
      like: { trusted: true, hook: { use: 'redis', host: 'h', users: 'default' } },
    },
  ],
  'hook-set': [
    { args: ['hook', 'set', 'x', '--apply', 'true'], like: { id: 'x', environment: 'development' } },
  ],
  'hook-rm': [{ before: hooked, args: ['hook', 'rm', 'x'], like: { id: 'x', secrets: ['canary'] } }],
  'hook-use': [
    { before: hooked, args: ['hook', 'use', 'x', 'canary'], like: { hook: 'x', secrets: ['canary'] } },
    { args: ['hook', 'use', 'none', 'canary'], like: { hook: null } },
  ],
  'hook-trust': [
    { before: hooked, args: ['hook', 'trust', 'x'], like: { id: 'x', trusted: true } },
    { args: ['hook', 'trust', 'x', '--forget'], like: { trusted: false } },
  ],
  metrics: [
    {
      before: rich,
      args: ['metrics'],
      like: expect.arrayContaining([
        expect.objectContaining({
          name: 'vault_operations_total',
          type: 'counter',
          samples: expect.arrayContaining([
            { labels: { operation: 'put', result: 'ok' }, value: 4 },
          ]) as unknown,
        }),
      ]),
    },
  ],
  trust: [
    {
      before: async (vault) => {
        const chain = '"providers":{"p":{"type":"env"}},"chain":{"default":["p"]}';
        writeFileSync(vault.in('vault.json'), `{"vault":".vault",${chain}}`);
      },
      args: ['trust', '--yes'],
      like: { keys: ['vault', 'providers', 'chain'], trusted: true },
    },
    { args: ['trust', '--list'], like: [{ state: 'trusted' }] },
    { args: ['trust', '--forget'], like: { forgotten: true } },
    { args: ['trust', '--list'], like: [] },
  ],
};

it('every schema of a command is held against a run', () => {
  const schemas = schemaNames().filter((name) => !otherSchemas.includes(name));
  expect(schemas.filter((name) => (runs[name] ?? []).length === 0)).toEqual([]);
});

describe('vault … --json', () => {
  for (const [name, all] of Object.entries(runs)) {
    scenario(name, async (vault) => {
      for (const { args: words, before, status = 0, like, ...options } of all) {
        await before?.(vault);
        const args = typeof words === 'function' ? await words(vault) : words;
        const ended = await vault.run([...args, '--json'], options);
        const title = `vault ${args.join(' ')}`;
        expect([title, ended.status, ended.stderr.replaceAll(/^vault: .*\n/gmu, '')]).toEqual([
          title,
          status,
          '',
        ]);
        const text = ended.stdout.toString();
        expect(text, `${title}: one document, and a newline`).toMatch(/^[{[][^]*[}\]]\n$/u);
        const value = JSON.parse(text) as unknown;
        expect([title, problemsWith(name, value)]).toEqual([title, []]);
        expect({ title, value }).toMatchObject(like === undefined ? { title } : { title, value: like });
      }
    });
  }

  scenario('and an error is one object on standard error', async (vault) => {
    writeFileSync(vault.in('vault.json'), '{"vault":"x"}');
    const failures: readonly (Run & { readonly args: readonly string[] })[] = [
      { args: ['ls'], status: 5, like: 'UNTRUSTED_PROJECT' },
      { args: ['trust'], status: 2, like: 'USAGE' },
      { args: ['bogus'], status: 2, like: 'USAGE' },
      { args: ['get'], status: 2, like: 'USAGE' },
      { args: ['get', 'absent', '--vault', '.vault'], status: 3, like: 'SECRET_NOT_FOUND' },
      { args: ['offboard', 'nobody', '--status', '--vault', '.vault'], status: 2, like: 'USAGE' },
      { args: ['exec', '--', 'true'], status: 125, like: 'UNTRUSTED_PROJECT' },
      { args: ['kv', 'get'], status: 2, like: 'USAGE' },
      {
        args: ['ls', '--vault', '.vault'],
        env: { VAULT_PASSPHRASE: 'wrong' },
        status: 4,
        like: 'UNLOCK_FAILED',
      },
    ];
    for (const { args, status = 0, like, ...options } of failures) {
      const [command = '', ...rest] = args;
      const value = JSON.parse(await vault.fails(status, [command, '--json', ...rest], options)) as unknown;
      expect([args, problemsWith('error', value)]).toEqual([args, []]);
      expect([args, value]).toEqual([args, expect.objectContaining({ code: like })]);
    }
  });
});
