/** The second reader, scripts/recover.py, which was written from docs/format.md alone, on vaults that the binary made. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BinaryVault, fastKdf, passphrase, type Ended } from '../support/binary-vault.ts';
import {
  cannotRecover,
  recover,
  recovered,
  recoverMany,
  recoverTitle,
  type Unlocking,
} from '../support/second-reader.ts';
import { Team } from '../support/shared-vaults.ts';

async function read(vault: BinaryVault, args: readonly string[], input = passphrase): Promise<Ended> {
  return recover(vault.file, args, input);
}

/** Of many files, of which none may pass, those that do. */
async function passing(
  variants: Iterable<readonly [title: string, bytes: Uint8Array]>,
  folder: string,
  run: (file: string) => Unlocking,
): Promise<string[]> {
  const all = [...variants].map(([title, bytes], i) => ({ title, bytes, file: `${folder}/variant-${i}` }));
  for (const { file, bytes } of all) writeFileSync(file, bytes);
  const verdicts = await recoverMany(all.map(({ file }) => run(file)));
  for (const { file } of all) rmSync(file);
  const passed = all.filter((_, i) => verdicts[i]?.status !== 7 || verdicts[i].written > 0);
  return passed.map(({ title }) => title);
}

function* flipped(sound: Buffer, count: number): Generator<[string, Uint8Array]> {
  for (let i = 0; i < count; i++) {
    const at = 5 + Math.floor(((sound.length - 5) * i) / count);
    const damaged = Buffer.from(sound);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (i % 8));
    yield [`byte ${at}`, damaged];
  }
}

/** Neighbouring lines changed places; a line twice; a line left out. */
function* shuffled(sound: Buffer): Generator<[string, Uint8Array]> {
  const lines = sound.toString('utf8').trimEnd().split('\n');
  const file = (all: readonly string[]): Uint8Array => Buffer.from(`${all.join('\n')}\n`);
  for (const [i, line] of lines.entries()) {
    const [before, after] = [lines.slice(0, i), lines.slice(i + 1)];
    yield [`line ${i} left out`, file([...before, ...after])];
    yield [`line ${i} twice`, file([...before, line, line, ...after])];
    const [next, ...rest] = after;
    if (next !== undefined) yield [`line ${i} after the next`, file([...before, next, line, ...rest])];
  }
}

/** The end is missing, here and there. */
function* cut(sound: Buffer): Generator<[string, Uint8Array]> {
  const lineEnds = [...sound.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1);
  for (const at of new Set([0, 1, 60, sound.length - 1, ...lineEnds]))
    if (at < sound.length) yield [`cut at ${at}`, sound.subarray(0, at)];
}

describe.skipIf(cannotRecover)(`${recoverTitle}: one owner`, () => {
  let vault: BinaryVault;
  const binaryValue = Buffer.from([0, 255, 10, 13, 0]);

  beforeAll(async () => {
    vault = new BinaryVault();
    await vault.ok(['init', ...fastKdf, '--recovery-file', 'recovery-key']);
    await vault.put('expired', 'late', '--expires', '1s');
    await vault.put('db/password', 'first');
    await vault.put('db/password', 'second', '--description', 'the database', '--tag', 'team=core');
    await vault.put('__proto__', 'not a prototype');
    await vault.put('ключ 🔑', 'юникод');
    await vault.ok(['put', 'binary', '--exact'], { input: binaryValue });
    await vault.put('gone', 'removed');
    await vault.ok(['rm', 'gone']);
    await vault.put('purged', 'destroyed');
    await vault.ok(['rm', 'purged', '--purge', '--yes']);
    await vault.put('only/production', 'p', '-e', 'production');
  });

  it('checks everything and lists what is there', async () => {
    const { status, stdout, stderr } = await read(vault, ['--list', '--audit', vault.log]);
    expect(stderr).not.toContain('recover: ');
    expect(status).toBe(0);
    for (const name of ['db/password', '__proto__', 'ключ 🔑', 'only/production'])
      expect(stdout.toString()).toContain(name);
    expect(stdout.toString()).not.toContain('purged\n');
  });

  it('gives exact values, old versions too', async () => {
    expect((await read(vault, ['--get', 'db/password'])).stdout.toString()).toBe('second');
    expect((await read(vault, ['--get', 'db/password', '--version', '1'])).stdout.toString()).toBe('first');
    expect((await read(vault, ['--get', 'binary'])).stdout).toEqual(binaryValue);
    expect((await read(vault, ['--get', 'only/production', '--env', 'production'])).stdout.toString()).toBe(
      'p',
    );
    expect((await read(vault, ['--get', 'nothing'])).status).toBe(3);
  });

  it.each<{ title: string; args: string[]; status: number; says: string; input?: string }>([
    { title: 'a version 0', args: ['--get', 'binary', '--version', '0'], status: 2, says: '--version wants' },
    { title: 'a version of nothing', args: ['--version', '1'], status: 2, says: 'go with --get' },
    { title: 'an environment of nothing', args: ['--env', 'staging'], status: 2, says: 'go with --get' },
    { title: 'two actions', args: ['--list', '--export'], status: 2, says: 'not allowed with' },
    { title: 'a short key file', args: ['--key-file', 'short'], status: 2, says: 'at least 32 bytes' },
    { title: 'a large key file', args: ['--key-file', 'large'], status: 2, says: 'too large' },
    { title: 'no log', args: ['--audit', 'no/log'], status: 1, says: 'No such file' },
    { title: 'no principal', args: ['--principal', 'ada'], status: 4, says: '0 slots of its type' },
    {
      title: 'no environment',
      args: ['--get', 'binary', '--env', 'x'],
      status: 3,
      says: 'no such environment',
    },
    { title: 'no version', args: ['--get', 'binary', '--version', '2'], status: 3, says: 'no such version' },
    { title: 'a removed secret', args: ['--get', 'gone'], status: 3, says: 'no such secret' },
    { title: 'an expired value', args: ['--get', 'expired'], status: 6, says: 'has expired' },
    { title: 'no credential', args: [], status: 4, says: 'empty, or not UTF-8', input: '' },
    { title: 'half a token', args: [], status: 4, says: 'not a whole machine token', input: 'vlt1_abc' },
    {
      title: 'a token with a typing error',
      args: [],
      status: 4,
      says: 'typing error',
      input: `vlt1_${'0'.repeat(60)}`,
    },
    {
      title: 'a token of no number',
      args: [],
      status: 4,
      says: 'typing error',
      input: `vlt1_${'z'.repeat(60)}`,
    },
    {
      title: 'half a recovery key',
      args: ['--recovery'],
      status: 4,
      says: 'not a whole recovery key',
      input: 'VRK1-AB',
    },
    {
      title: 'a recovery key with a typing error',
      args: ['--recovery'],
      status: 4,
      says: 'typing error',
      input: `VRK1${'0'.repeat(58)}`,
    },
  ])('says no to $title', async ({ args, status, says, input }) => {
    writeFileSync(path.join(path.dirname(vault.file), 'short'), Buffer.alloc(31));
    writeFileSync(path.join(path.dirname(vault.file), 'large'), Buffer.alloc(2 ** 20 + 1));
    const ended = await read(vault, args, input);
    expect(ended).toMatchObject({ status, stdout: Buffer.alloc(0) });
    expect(ended.stderr).toContain(says);
  });

  it('gives an old version of what was removed, and exports what has expired', async () => {
    const { stdout } = await read(vault, ['--get', 'gone', '--version', '1']);
    expect(stdout.toString()).toBe('removed');
    const { development } = (await recovered(vault.file, [[], passphrase])) as Record<string, object>;
    expect(development).toHaveProperty('expired', 'late');
    expect(development).not.toHaveProperty('gone');
  });

  it('reads a credential as people type it', async () => {
    const key = readFileSync(vault.in('recovery-key'), 'utf8').trim().toLowerCase().replaceAll('-', ' ');
    const typed = key.replace(/^vrk1/u, '').replaceAll('0', 'o').replaceAll('1', 'l');
    expect((await read(vault, ['--recovery'], `VRK1${typed}\n`)).status).toBe(0);
    expect((await read(vault, [], `${passphrase}\n`)).status).toBe(0);
    expect((await read(vault, [], `${passphrase} `)).status).toBe(4);
  });

  it('stops before it reads a line or a head that is too long', async () => {
    const start = readFileSync(vault.file).subarray(0, 60).toString('utf8').split('\n')[0] ?? '';
    const files = [
      [
        'header: longer than 32 MiB',
        Buffer.concat([Buffer.from(`${start}\n{"kind":"header"`), Buffer.alloc(2 ** 25, 32)]),
      ],
      [
        'the head is longer than 64 MiB',
        Buffer.concat([Buffer.from(`${start}\n`), Buffer.alloc(2 ** 26, 32)]),
      ],
    ] as const;
    for (const [says, bytes] of files) {
      const file = vault.in('large-file');
      writeFileSync(file, Buffer.concat([bytes, Buffer.from('\n{}\n')]));
      const { status, stderr } = await recover(file, [], passphrase);
      expect({ status, stderr }).toEqual({ status: 7, stderr: `recover: ${says}\n` });
    }
  });

  it('refuses a wrong passphrase, opens with the recovery key and, after passwd, with the new one', async () => {
    expect((await read(vault, ['--list'], 'wrong')).status).toBe(4);
    const key = readFileSync(vault.in('recovery-key'), 'utf8');
    expect((await read(vault, ['--recovery', '--get', 'db/password'], key)).stdout.toString()).toBe('second');
    writeFileSync(vault.in('new'), 'new passphrase\n');
    await vault.ok(['passwd', ...fastKdf, '--new-passphrase-file', 'new']);
    expect((await read(vault, ['--get', 'db/password'])).status).toBe(4);
    expect((await read(vault, ['--get', 'db/password'], 'new passphrase')).stdout.toString()).toBe('second');
  });

  it('reads Argon2id with a key file, and many shards', async () => {
    const other = new BinaryVault();
    writeFileSync(other.in('key'), Buffer.alloc(64, 7));
    const small = ['--memory', '8', '--passes', '1'];
    await other.ok(['init', ...small, '--no-recovery', '--key-file', 'key']);
    const many = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`s/${i}`, `value ${i}`]));
    writeFileSync(other.in('many.json'), JSON.stringify(many));
    await other.ok(['import', 'many.json', '--key-file', 'key']);
    const all = await read(other, ['--key-file', other.in('key'), '--export']);
    expect(all.status).toBe(0);
    for (const value of ['value 0', 'value 699'])
      expect(all.stdout.toString()).toContain(JSON.stringify(value));
    expect((await read(other, ['--list'])).status).toBe(4);
  });

  it('finds a flipped byte wherever it is', async () => {
    const variants = flipped(readFileSync(vault.file), 100);
    expect(await passing(variants, vault.folder, (file) => [[file], 'new passphrase'])).toEqual([]);
  });

  it('finds a changed, removed or swapped audit record', async () => {
    const lines = readFileSync(vault.log, 'utf8').trimEnd().split('\n');
    const manipulated: string[][] = [
      lines.map((line, i) => (i === 3 ? line.replace('"ok":true', '"ok":false') : line)),
      lines.filter((_, i) => i !== 4),
      lines.map((line, i) => (i === 5 ? (lines[6] ?? '') : i === 6 ? (lines[5] ?? '') : line)),
      lines.slice(0, 5),
    ];
    for (const log of manipulated) {
      writeFileSync(vault.in('log'), `${log.join('\n')}\n`);
      expect((await read(vault, ['--list', '--audit', vault.in('log')], 'new passphrase')).status).toBe(7);
    }
  });
});

describe.skipIf(cannotRecover)(`${recoverTitle}: a shared vault`, () => {
  const team = new Team();
  const credentials = new Map<string, Unlocking>();
  /** Vaults by stage of their life. */
  const stages = new Map<string, string>();

  const fileOf = (stage: string): string => stages.get(stage) ?? '';
  const logOf = (stage: string): string => `${fileOf(stage)}.audit.jsonl`;
  const credential = (who: string): Unlocking => credentials.get(who) ?? [[], ''];
  const run = async (stage: string, who: string, ...args: readonly string[]): Promise<Ended> => {
    const [unlock, input] = credential(who);
    return recover(fileOf(stage), [...unlock, ...args], input);
  };
  const named = (name: string): Unlocking => [['--principal', name], team.passphrase(name)];
  const recoveryKey = (file: string): Unlocking => [
    ['--recovery'],
    readFileSync(team.vault.in(file), 'utf8'),
  ];

  /** The life of the vault. */
  beforeAll(async () => {
    const keep = (stage: string): void => {
      stages.set(stage, team.keep(stage));
    };
    for (const name of ['owner', 'ada', 'bob']) credentials.set(name, named(name));
    const environments = ['--environments', 'development,staging,production'];
    await team.found('--recovery-file', 'recovery', ...environments);
    credentials.set('recovery', recoveryKey('recovery'));
    await team.put('owner', 'development', 'db/password', 'first');
    await team.put('owner', 'development', 'db/password', 'second');
    await team.put('owner', 'staging', 'api', 'staged');
    await team.put('owner', 'production', 'api', 'produced');
    credentials.set('ci', [[], await team.token('ci', '--can', 'read', '-e', 'staging')]);
    credentials.set('ci2', [[], await team.token('ci2', '--can', 'read', '-e', 'staging')]);
    keep('token');
    await team.await('ada', '--can', 'read,write', '-e', 'development,staging');
    keep('awaited');
    await team.join('ada');
    keep('joined');
    await team.put('ada', 'staging', 'api', 'by ada');
    keep('joined and wrote');
    await team.invite('bob', '--can', 'rotate', '-e', 'production');
    keep('invited');
    await team.accept('bob');
    keep('accepted');
    await team.put('owner', 'development', 'tmp', 'x');
    keep('completed');
    await team.as('bob', ['rotate', 'api', '-e', 'production'], { input: 'by bob' });
    keep('rotated');
    await team.as('owner', ['env', 'add', 'production/payments']);
    await team.put('owner', 'production/payments', 'card', 'paid');
    await team.as('owner', ['access', 'grant', 'ci', '--can', 'read', '-e', 'production/payments']);
    keep('compartment');
    await team.as('owner', ['access', 'rm', 'ci2', '--yes']);
    await team.as('owner', ['rekey']);
    keep('rekeyed');
    await team.put('ada', 'development', 'tmp', 'y');
    keep('wrote again');
    credentials.set('ada by token', [[], await team.printed('ada', ['slot', 'add', '--token'])]);
    keep('second slot');
    const slots = await team.printed('ada', ['slot', 'ls', '--json']);
    const second = (JSON.parse(slots) as { id: string; type: string }[]).find(({ type }) => type === 'token');
    await team.as('ada', ['slot', 'rm', second?.id ?? '', '--yes']);
    keep('marked');
    await team.compromised('owner', 'recovery-2');
    credentials.set('owner later', named('owner'));
    credentials.set('recovery later', recoveryKey('recovery-2'));
    keep('compromised');
    await team.as('owner', ['env', 'rm', 'staging', '--yes']);
    keep('destroyed');
    for (const name of ['ci again', 'ci later']) {
      const token = await team.printed('owner', ['access', 'reissue', 'ci', '--token', '--yes']);
      credentials.set(name, [[], token]);
    }
    keep('reissued');
  }, 120_000);

  const none = { development: {}, staging: {}, production: {} };
  const first = {
    development: { 'db/password': 'second' },
    staging: { api: 'staged' },
    production: { api: 'produced' },
  };
  const wrote = { ...first, staging: { api: 'by ada' } };
  const completed = { ...wrote, development: { 'db/password': 'second', tmp: 'x' } };
  /** The newest version of production’s secret is sealed by HPKE: no older one takes its place. */
  const rotated = { ...completed, production: {} };
  const payments = { 'production/payments': { card: 'paid' } };
  const noPayments = { 'production/payments': {} };
  const rekeyed = { ...completed, production: { api: 'by bob' }, ...payments };
  const development = { 'db/password': 'second', tmp: 'y' };
  const last = { ...rekeyed, development };
  const ada = { ...none, ...noPayments };
  const destroyed = { development, production: last.production, ...payments };

  /** Every value that a credential opens, or the exit status. */
  it.each<readonly [string, Readonly<Record<string, unknown>>]>([
    ['token', { owner: first, recovery: first, ci: { ...none, staging: first.staging }, ada: 4 }],
    ['awaited', { owner: first, ci: { ...none, staging: first.staging }, ada: 4 }],
    ['joined', { owner: first, ada: { ...first, production: {} }, 'recovery later': 4 }],
    ['joined and wrote', { owner: wrote, ci: { ...none, staging: wrote.staging } }],
    ['invited', { owner: wrote, ada: { ...wrote, production: {} }, bob: 4 }],
    ['accepted', { owner: wrote, ada: { ...wrote, production: {} }, bob: none }],
    ['completed', { recovery: completed, ada: { ...completed, production: {} }, bob: none }],
    ['rotated', { recovery: rotated, ada: rotated, bob: none }],
    ['compartment', { owner: { ...rotated, ...payments }, ci: { ...ada, staging: wrote.staging } }],
    ['rekeyed', { owner: rekeyed, recovery: rekeyed, ada, ci: ada, ci2: 4 }],
    ['wrote again', { recovery: last, ada: { ...ada, development } }],
    ['second slot', { 'ada by token': { ...ada, development } }],
    ['marked', { recovery: last, ada: { ...ada, development }, 'ada by token': 4 }],
    ['compromised', { owner: 4, recovery: 4, 'owner later': last, 'recovery later': last, ada }],
    ['destroyed', { 'owner later': destroyed, 'recovery later': destroyed }],
    ['reissued', { ci: 4, 'ci again': 4, 'ci later': { development: {}, production: {}, ...payments } }],
  ])('%s: every credential opens what it may', async (stage, expected) => {
    const found: Record<string, unknown> = {};
    for (const who of Object.keys(expected)) {
      const { status } = await run(stage, who);
      found[who] = status === 0 ? await recovered(fileOf(stage), credential(who)) : status;
    }
    expect(found).toEqual(expected);
  });

  it.each<{ stage: string; says: (string | RegExp)[]; not?: string | RegExp }>([
    { stage: 'token', says: ['principal ci  read staging  token', 'api  other  version 1  kept 1-1'] },
    {
      stage: 'awaited',
      says: [
        'principal ada  read development,staging  write development,staging  has not joined',
        'environment staging: the grant to ada is sealed (HPKE), not opened',
      ],
    },
    { stage: 'joined', says: ['  write development,staging  passphrase'], not: 'HPKE' },
    { stage: 'invited', says: ['principal bob  list production  rotate production  has not joined'] },
    { stage: 'accepted', says: ['bob  list production  rotate production  passphrase'], not: 'HPKE' },
    { stage: 'completed', says: ['environment production: the grant to bob is sealed (HPKE), not opened'] },
    { stage: 'rotated', says: ['api  other  version 2  kept 1-2  version 2 sealed (HPKE), not opened\n'] },
    { stage: 'compartment', says: ['payments: the grant to ci is sealed', 'card  other  version 1'] },
    { stage: 'rekeyed', says: [/ staging {2}epoch 3 {2}exposed /u, / version 2 {2}kept 1-2\n/u], not: 'ci2' },
    { stage: 'marked', says: [/^principal ada .* {2}removed [-\w]{11} 20\d\d-\S+Z/mu] },
    { stage: 'compromised', says: ['environment staging  epoch 4  exposed ', 'owner  administrator  '] },
    { stage: 'destroyed', says: ['ci  read production/payments  token'], not: 'environment staging' },
    {
      stage: 'reissued',
      says: [/^environment production\/payments {2}epoch 5 {2}exposed \S+ {2}since 20/mu],
    },
  ])(
    '$stage: the owner’s listing is right, and the audit log sound',
    async ({ stage, says, not = /^never$/u }) => {
      const owner = ['compromised', 'destroyed', 'reissued'].includes(stage) ? 'owner later' : 'owner';
      const { status, stdout, stderr } = await run(stage, owner, '--audit', logOf(stage));
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const listing = stdout.toString('utf8');
      expect(listing).toMatch(/^audit log [-\w]{22}: whole, last number \d+, the snapshot names \d+$/mu);
      for (const part of says) expect(listing).toMatch(part);
      expect(listing).not.toMatch(not);
    },
  );

  it('says to a credential what stays closed to it', async () => {
    const listing = (await run('rotated', 'bob')).stdout.toString('utf8');
    expect(listing).toContain('environment development  epoch 1  not opened\n  secret ');
    expect(listing).toContain('api  other  version 2  kept 1-2  version 2 sealed (HPKE), not opened');
    const { stderr } = await run('rotated', 'recovery', '--export');
    expect(stderr).toBe(
      'recover: note: not exported, sealed (HPKE) or not to be read: production api version 2\n',
    );
  });

  it('gives a version that it can open, and fails on one that it cannot', async () => {
    const get = ['--get', 'api', '--env', 'production'];
    expect((await run('rotated', 'recovery', ...get, '--version', '1')).stdout.toString()).toBe('produced');
    for (const [stage, who] of [
      ['rotated', 'recovery'],
      ['rotated', 'bob'],
      ['completed', 'bob'],
      ['rotated', 'ada'],
    ] as const) {
      expect(await run(stage, who, ...get)).toMatchObject({ status: 1, stdout: Buffer.alloc(0) });
    }
  });

  it('asks whose passphrase it is where several have one', async () => {
    const { status, stderr } = await recover(fileOf('joined'), [], team.passphrase('ada'));
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: 'recover: whose credential is it? --principal ada or owner\n',
    });
  });

  it.each([
    ['awaited', 'recovery'],
    ['accepted', 'recovery'],
    ['rotated', 'recovery'],
    ['marked', 'ada'],
    ['reissued', 'ci later'],
  ])('%s: flipped bytes, and lines in the wrong place, are found', async (stage, who) => {
    const sound = readFileSync(fileOf(stage));
    const [args, input] = credential(who);
    const variants = [...flipped(sound, 200), ...shuffled(sound), ...cut(sound)];
    expect(await passing(variants, team.vault.folder, (file) => [[file, ...args], input])).toEqual([]);
  });

  it('finds flipped bytes, and records in the wrong place, in a log of several epochs', async () => {
    const sound = readFileSync(logOf('reissued'));
    const [args, input] = credential('ci later');
    const variants = [...flipped(sound, 200), ...shuffled(sound), ...cut(sound)];
    const unlock = (log: string): Unlocking => [[fileOf('reissued'), ...args, '--audit', log], input];
    expect(variants.length).toBeGreaterThan(250);
    expect(await passing(variants, team.vault.folder, unlock)).toEqual([]);
  });

  it('takes a log that has gone on, and refuses one that is behind', async () => {
    expect((await run('marked', 'recovery', '--audit', logOf('reissued'))).status).toBe(7);
    expect((await run('reissued', 'recovery later', '--audit', logOf('marked'))).status).toBe(7);
    expect((await run('awaited', 'recovery', '--audit', logOf('joined'))).status).toBe(0);
  });
});
