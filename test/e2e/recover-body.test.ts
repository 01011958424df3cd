/** What scripts/recover.py says of credentials, keys, body lines and audit logs that break rules, with every signature right. */
import { createCipheriv, createHash, createHmac } from 'node:crypto';
import { expect } from 'vitest';
import { pad, seal } from '../../src/crypto/aead.ts';
import { encodeBase64url, utf8 } from '../../src/crypto/bytes.ts';
import { deriveKey } from '../../src/crypto/hash.ts';
import { str, type Json, type Line } from '../support/loose-file.ts';
import { systemRandom } from '../support/sample-vault.ts';
import {
  early,
  late,
  base,
  id,
  random,
  type Change,
  type Sound,
  refuses,
  accepts,
  lines,
  staged,
  changed,
  producedFirst,
  keyOf,
  carry,
  editBlock,
  set,
  answered,
  renumber,
  purge,
  remove,
  appendTo,
  attempt,
  prune,
  type Pruning,
  runCases,
} from '../support/vault-of-everything.ts';

// ---- Unlocking.

const wrongBundle = 'bundle: of another vault or principal';
for (const [says, member, value] of [
  [wrongBundle, 'vault', random(16)],
  [wrongBundle, 'principal', random(8)],
  ['(InvalidSignature)', 'signSeed', random(32)],
  ['roots or header are not those', 'rootDigest', random(32)],
  ['roots or header are not those', 'floor', 99],
  ['(IndexError)', 'root', 9],
  ...['signSeed', 'sealSeed', 'wrapKey', 'vault', 'principal', 'root', 'rootDigest', 'floor'].map(
    (name) => ['sealed text of a bundle: members', name, name === 'root' ? '1' : ''] as const,
  ),
] as const)
  refuses(says, `unlock: ${member} of the bundle`, async (file) => {
    const bundle = file.one('bundle', id('owner'));
    const text = utf8(JSON.stringify({ ...base.owner.content, [member]: value }));
    const aad = file.domain.encode('bundle', id('owner'), Number(bundle['n']));
    const sealed = await seal(systemRandom, base.owner.bundleKey, text, aad, 1024);
    file.set(bundle, 'sealed', encodeBase64url(sealed));
  });
accepts('a bundle that was sealed like these', async (file) => {
  const bundle = file.one('bundle', id('owner'));
  const aad = file.domain.encode('bundle', id('owner'), Number(bundle['n']));
  const text = utf8(JSON.stringify(base.owner.content));
  const sealed = await seal(systemRandom, base.owner.bundleKey, text, aad, 1024);
  file.set(bundle, 'sealed', encodeBase64url(sealed));
});
refuses(
  'could not unlock: wrong credential (1 slots',
  'unlock: another commitment',
  (file) => {
    file.set(file.one('slot', 'recovery'), 'commit', random(32));
  },
  { status: 4 },
);
refuses('(InvalidTag)', 'unlock: another bundle key', (file) => {
  file.set(file.one('slot', 'recovery'), 'wrapped', random(92));
});
refuses(
  'this principal has expired',
  'unlock: after the principal’s end',
  (file) => {
    file.expire('ci', early);
  },
  { who: 'ci', status: 5 },
);
refuses(
  'this principal has expired',
  'unlock: after the principal’s end, by the snapshot',
  (file) => {
    file.setPrincipal('ci', 'expires', '2150-01-01T00:00:00.000Z');
    file.set(file.snapshot, 'time', late);
  },
  { who: 'ci', status: 5 },
);
refuses(
  'whose credential is it? --principal owner or zoe',
  'unlock: by one of two',
  (file) => {
    file.set(file.one('slot', id('zoe')), 'type', 'recovery');
  },
  { status: 2, who: 'anybody' },
);

// ---- Environments: keys, and what is sealed.

for (const [title, member, ...people] of [
  ['environment key', 'commitEnv', 'owner'],
  ['catalog key', 'commitCatalog', 'owner', 'dan'],
] as const)
  for (const who of people)
    refuses(
      'grant: another key',
      `grant: another ${title}, to ${who}`,
      (file) => {
        file.set(file.header, `environments.2.${member}`, random(32));
      },
      { who },
    );
refuses('(InvalidTag)', 'grant: sealed for somebody else', (file) => {
  file.set(file.one('grant', id('owner')), 'ct', random(92));
});
for (const epochs of [
  [1, 1],
  [1, 2],
])
  refuses(
    'audit keys of earlier epochs: out of order, or twice',
    `carry: epochs ${epochs.join(', ')}`,
    async (file) => {
      expect(file.environment('production')['epoch']).toBe(2);
      await carry(file, { auditKeys: epochs.map((epoch) => [epoch, random(32)]), policy: [] });
    },
  );
for (const [title, content] of [
  ['keys', { auditKeys: [[1, 'AAAA']], policy: [] }],
  ['policy', { auditKeys: [], policy: [['a', 1]] }],
  ['members', { policy: [], auditKeys: [] }],
] as const)
  refuses('sealed text of an environment: members', `carry: ${title}`, async (file) => {
    await carry(file, content as unknown as Json);
  });
for (const [says, title, change] of [
  ['names: out of order', 'names of no order', (entries) => entries.reverse()],
  [
    'names: out of order, or twice',
    'a name twice',
    (entries) => entries.unshift({ ...entries[0], secret: random(16) }),
  ],
  ['names: members', 'a member less', (entries) => delete entries[0]?.['hook']],
  ['names: members', 'a type', (entries) => set(entries, { type: 'other ' })],
  ['names: members', 'a description', (entries) => set(entries, { description: 'x'.repeat(4097) })],
  ['names: members', 'a variable', (entries) => set(entries, { variable: '1A' })],
  ['names: members', 'a long variable', (entries) => set(entries, { variable: 'A'.repeat(129) })],
  ['names: members', 'a name', (entries) => set(entries, { name: '' })],
  ['names: members', 'a long name', (entries) => set(entries, { name: 'x'.repeat(1025) })],
  ['names: members', 'an interval', (entries) => set(entries, { interval: -1 })],
  ['names: members', 'a tag without a key', (entries) => set(entries, { tags: [['', 'x']] })],
  ['names: members', 'a long tag’s key', (entries) => set(entries, { tags: [['x'.repeat(257), 'x']] })],
  ['names: members', 'a long tag', (entries) => set(entries, { tags: [['x', 'x'.repeat(257)]] })],
  [
    'names: members',
    'many tags',
    (entries) => set(entries, { tags: Array.from({ length: 65 }, (_, i) => [`${100 + i}`, '']) }),
  ],
  [
    'tags: out of order',
    'tags',
    (entries) =>
      set(entries, {
        tags: [
          ['b', ''],
          ['a', ''],
        ],
      }),
  ],
  ['a name with characters', 'a name of control characters', (entries) => set(entries, { name: 'a\u0085' })],
  ['a name with characters', 'a name of lines', (entries) => set(entries, { name: 'a\u2028' })],
  ['or two of one secret', 'a secret twice', (entries) => entries.push({ ...entries[0], name: 'z' })],
  [
    'a name without versions',
    'a name without versions',
    (entries) => entries.push({ ...entries[0], name: 'z', secret: random(16) }),
  ],
  ['a name without versions, or the reverse', 'versions without a name', (entries) => entries.pop()],
  ['(InvalidTag)', 'another key', null],
] as readonly (readonly [string, string, ((entries: Line[]) => unknown) | null])[])
  refuses(says, `block: ${title}`, async (file) => {
    await editBlock(file, change);
  });
for (const [title, note] of [
  ['operation', { operation: 'other', rotations: 0, expires: '', graceUntil: '' }],
  ['rotations', { operation: 'put', rotations: -1, expires: '', graceUntil: '' }],
  ['expires', { operation: 'put', rotations: 0, expires: 'never', graceUntil: '' }],
  ['graceUntil', { operation: 'put', rotations: 0, expires: '', graceUntil: 0 }],
] as const)
  refuses('note of a version: members', `note: ${title}`, async (file) => {
    const line = staged(file);
    const named = [str(line['secret']), Number(line['version'])] as const;
    file.set(line, 'note', await file.sealed('note', 'staging', note, ...named));
  });
refuses('note of a version: members', 'note: of a version that is not the current one', async (file) => {
  const { secret = '' } = file.one('purged');
  const line = file.one('value', secret, 2);
  const named = [str(secret), 2] as const;
  file.set(line, 'note', await file.sealed('note', 'development', { operation: 'other' }, ...named));
});
refuses(
  'this value has expired',
  'note: the time is over',
  async (file) => {
    const line = staged(file);
    const note = { operation: 'put', rotations: 0, expires: early, graceUntil: '' };
    file.set(
      line,
      'note',
      await file.sealed('note', 'staging', note, str(line['secret']), Number(line['version'])),
    );
  },
  { who: 'owner', status: 6, args: ['--get', 'api', '--env', 'staging'] },
);
for (const [says, title, plain] of [
  ['value: wrong checksum', 'checksum', new Uint8Array(40)],
  ['value: wrong checksum', 'larger than it may be', null],
] as const)
  refuses(says, `value: ${title}`, async (file) => {
    const line = staged(file);
    const large = new Uint8Array(2 ** 24 + 1);
    const bytes = plain ?? Buffer.concat([createHash('sha256').update(large).digest(), large]);
    const named = [str(line['secret']), Number(line['version'])] as const;
    file.set(line, 'ct', await file.sealed('value', 'staging', bytes, ...named));
  });
for (const length of [28, 29, 92, 65_500, 65_501])
  accepts(`a value of ${length} bytes`, async (file) => {
    const line = staged(file);
    const value = Buffer.alloc(length, 1);
    const plain = Buffer.concat([createHash('sha256').update(value).digest(), value]);
    const named = [str(line['secret']), Number(line['version'])] as const;
    file.set(line, 'ct', await file.sealed('value', 'staging', plain, ...named));
  });
for (const [title, change] of [
  ['a larger bucket', (padded) => Buffer.concat([padded, new Uint8Array(padded.length)])],
  ['not zero', (padded) => padded.fill(1, padded.length - 1)],
  ['longer than there is', (padded) => padded.fill(255, 0, 2)],
  ['no bucket', (padded) => Buffer.concat([padded, new Uint8Array(1)])],
] as readonly (readonly [string, (padded: Buffer) => Uint8Array])[])
  refuses('wrong padding', `padding: ${title}`, async (file) => {
    const line = staged(file);
    const plain = Buffer.concat([createHash('sha256').update('x').digest(), Buffer.from('x')]);
    const named = [file.env('staging'), Number(line['epoch'])] as const;
    const key = await deriveKey(
      file.domain,
      base.environmentKeys.get('staging') ?? new Uint8Array(),
      'value',
      ...named,
    );
    const cipher = createCipheriv('aes-256-gcm', key, new Uint8Array(12));
    cipher.setAAD(file.domain.encode('value', ...named, str(line['secret']), Number(line['version'])));
    const text = Buffer.concat([cipher.update(change(Buffer.from(pad(plain)))), cipher.final()]);
    file.set(
      line,
      'ct',
      Buffer.concat([new Uint8Array(12), text, cipher.getAuthTag()]).toString('base64url'),
    );
  });

// ---- Body lines.

for (const [kind, environment] of [
  ['names', 'staging'],
  ['values', 'staging'],
  ['changes', 'production'],
] as const) {
  refuses(`${kind}: wrong digest or size of a shard`, `${kind}: digest`, (file) => {
    const part = file.part(kind, environment);
    file.set(part, kind === 'changes' ? 'digest' : 'shards.0.0', random(32));
  });
  refuses(`${kind}: wrong digest or size of a shard`, `${kind}: a size that goes to the end`, (file) => {
    const part = file.part(kind, environment);
    file.set(part, kind === 'changes' ? 'size' : 'shards.0.1', 2 ** 40);
  });
}
refuses('changes: wrong digest or size of a shard', 'changes: a size over the end', (file) => {
  const last = file.one('changes', id('dan'));
  const size = Buffer.byteLength(
    (file.body.get(last)?.[0] ?? []).map((line) => `${JSON.stringify(line)}\n`).join(''),
  );
  file.set(last, 'size', size + 1);
});
accepts('names and values in two shards', async (file) => {
  await halve(file);
});
refuses('a name of another shard', 'block: a name in the other shard', async (file) => {
  await halve(file, { names: true });
});
refuses('value: of another environment, epoch or shard', 'value: in the other shard', async (file) => {
  await halve(file, { values: true });
});
refuses('lines between the body and the snapshot', 'body: a line more', (file) => {
  file.appended = `${JSON.stringify(file.one('removed'))}\n`;
});
refuses('not one block for each shard', 'body: no block', (file) => {
  file.body.get(file.part('names', 'staging'))?.[0]?.pop();
});
refuses('not one block for each shard', 'block: of another shard', (file) => {
  file.set(file.one('block'), 'shard', 1);
});
for (const [kind, environment] of [
  ['block', 'staging'],
  ['value', 'staging'],
  ['purged', 'development'],
  ['removed', 'production'],
] as const) {
  const says = `${kind}: of another environment, epoch or shard`;
  const line = (file: Sound): Line => file.one(kind, file.env(environment));
  refuses(says, `${kind}: of another environment`, (file) => {
    file.set(line(file), 'environment', file.env(environment === 'staging' ? 'production' : 'staging'));
  });
  if (kind === 'block' || kind === 'value')
    refuses(says, `${kind}: of another epoch`, (file) => {
      file.set(line(file), 'epoch', 9);
    });
}
refuses('kind removed has no place here', 'removed: in values', (file) => {
  const line = { ...file.one('removed'), environment: file.env('staging') };
  file.body.get(file.part('values', 'staging'))?.[0]?.push(line);
});
for (const [part, environment] of [
  ['values', 'staging'],
  ['changes', 'production'],
] as const)
  refuses('kind block has no place here', `block: in ${part}`, (file) => {
    file.body.get(file.part(part, environment))?.[0]?.unshift(file.one('block'));
  });
refuses('kind value has no place here', 'value: in names', (file) => {
  file.body.get(file.part('names', 'staging'))?.[0]?.push(staged(file));
});
refuses('value: wrong signature', 'value: by another key', (file) => {
  file.signedWith.set(staged(file), file.key(id('bob')));
});
for (const right of ['list', 'read', 'delete'])
  refuses('value: its signer has no right', `value: by who may ${right}`, (file) => {
    file.allow('ci', 'staging', right);
    file.set(staged(file), 'author', id('ci'));
    file.set(staged(file), 'by', id('ci'));
  });
accepts('a first version by who may write', (file) => {
  file.allow('ci', 'staging', 'write');
  file.set(staged(file), 'author', id('ci'));
  file.set(staged(file), 'by', id('ci'));
});
for (const right of ['list', 'read', 'rotate'])
  refuses('purged: its signer has no right', `purged: by who may ${right}`, (file) => {
    file.allow('ci', 'development', right);
    file.set(file.one('purged'), 'by', id('ci'));
  });
for (const right of ['write', 'delete'])
  accepts(`a purged line by who may ${right}`, (file) => {
    file.allow('ci', 'development', right);
    file.set(file.one('purged'), 'by', id('ci'));
  });
for (const right of ['read', 'write'])
  refuses('removed: its signer has no right', `removed: by who may rotate and ${right}`, (file) => {
    file.allow('bob', 'production', 'rotate', right);
    remove(file);
  });
accepts('a version, and the removal of its secret', (file) => {
  file.allow('bob', 'production', 'rotate', 'delete');
  remove(file);
});
refuses('lines: out of order', 'order: a removal before the version', (file) => {
  file.allow('bob', 'production', 'rotate', 'delete');
  file.swap(changed(file), remove(file));
});
refuses('purged: its signer has no right', 'purged: by who may rotate', (file) => {
  purge(file, 'bob');
});
refuses('removed: its signer has no right', 'removed: by who may rotate', (file) => {
  remove(file);
});
refuses('changes: a line of another signer', 'changes: by somebody else', (file) => {
  const mine = file.body.get(file.one('changes', id('bob')))?.[0] ?? [];
  for (const line of mine) file.set(line, 'by', id('owner'));
});
refuses('value: its signer has no right to it', 'value: the first version, by who may rotate', (file) => {
  const [line = {}] = file.body.get(file.one('changes', id('bob')))?.[0] ?? [];
  file.set(line, 'version', 1);
});
refuses('value: its signer has no right to it', 'value: of another author', (file) => {
  const [line = {}] = file.body.get(file.one('changes', id('bob')))?.[0] ?? [];
  file.set(line, 'author', id('ada'));
});
accepts('a value of somebody else, signed by an administrator', (file) => {
  file.set(staged(file), 'author', id('old'));
});
refuses('value: younger than the part', 'value: time', (file) => {
  file.set(file.part('values', 'staging'), 'time', early);
});

// ---- What does not hold spoils its own secret alone.

const rogue: Change = (file) => {
  file.set(changed(file), 'prev', random(32));
};
const production = ['--env', 'production'];
refuses('damaged is environment production, secret ', 'spoiled: the listing goes on', rogue, { shows: true });
refuses('damaged is environment production, secret ', 'spoiled: the export goes on', rogue, {
  shows: true,
  args: ['--export'],
});
refuses('this secret is damaged: the versions', 'spoiled: the secret', rogue, {
  args: ['--get', 'api', ...production],
});
accepts('another secret of that environment, removed but not damaged', rogue, {
  shows: true,
  args: ['--get', 'other', '--version', '1', ...production],
});
accepts('a secret of another environment', rogue, {
  shows: true,
  args: ['--get', 'once', '--env', 'development'],
});

// ---- Versions.

const noChain = 'the versions of a secret are no chain';
refuses('two lines for one version', 'versions: one in changes that is there', async (file) => {
  file.setPrincipal('bob', 'rotate', []);
  file.setPrincipal('bob', 'write', [file.env('production')]);
  file.setPrincipal('bob', 'delete', [file.env('production')]);
  await renumber(file, 1);
});
refuses(noChain, 'versions: one left out', async (file) => renumber(file, 3));
refuses(noChain, 'versions: after another line', (file) => {
  const [line = {}] = file.body.get(file.one('changes', id('bob')))?.[0] ?? [];
  file.set(line, 'prev', random(32));
});
refuses(noChain, 'versions: the first is after one', (file) => {
  file.set(staged(file), 'prev', random(32));
});
refuses(noChain, 'versions: before the one before', (file) => {
  const [line = {}] = file.body.get(file.one('changes', id('bob')))?.[0] ?? [];
  file.set(line, 'time', early);
});
refuses(noChain, 'versions: after a purged one, another', (file) => {
  file.set(file.one('purged'), 'digest', random(32));
});
refuses(noChain, 'versions: before the purged one', (file) => {
  file.set(file.one('purged'), 'last', late);
});
refuses(noChain, 'versions: a purged one is there', (file) => {
  file.set(file.one('purged'), 'through', 2);
});
refuses(noChain, 'versions: none purged', (file) => {
  file.body
    .get(file.part('values', 'development'))?.[0]
    ?.splice(lines(file, 'values', 'development').indexOf(file.one('purged')), 1);
});
refuses(noChain, 'versions: one after a pending one', (file) => {
  file.set(producedFirst(file), 'state', 'pending');
});
accepts('two versions of one time', (file) => {
  file.set(changed(file), 'time', producedFirst(file)['time']);
});
accepts('a pending version', (file) => {
  file.set(changed(file), 'state', 'pending');
});
for (const state of ['live', 'withdrawn'])
  accepts(`a pending version that is ${state} by changes`, (file) => {
    answered(file, state);
  });
refuses('two lines for one version', 'versions: pending, and pending again', (file) => {
  answered(file, 'pending');
});
refuses('two lines for one version', 'versions: answered for another author', (file) => {
  answered(file, 'live');
  const pending = lines(file, 'values', 'production').find((line) => line['state'] === 'pending') ?? {};
  file.set(pending, 'author', id('ada'));
  file.set(pending, 'by', id('owner'));
});
refuses('two lines for one version', 'versions: answered after another line', (file) => {
  file.set(answered(file, 'live'), 'prev', random(32));
});
refuses('purged: of another version than that there', 'purged: another digest, in changes', (file) => {
  file.set(purge(file), 'digest', random(32));
});
refuses('purged: of another version than that there', 'purged: another time, in changes', (file) => {
  file.set(purge(file), 'last', early);
});
refuses('purged: of another version than that there', 'purged: no such version, in changes', (file) => {
  file.set(purge(file), 'through', 7);
});

// ---- The audit log.

const log = { args: ['--audit'] } as const;
const recordMembers =
  'log seq time op ok code principal environment secrets context source detail header from to prev sig';
accepts('the audit log as it is', () => undefined, log);
for (const member of recordMembers.split(' '))
  refuses(
    ': members are not as they should be',
    `audit: ${member} of another type`,
    (file) => {
      const [, record = {}] = file.records;
      file.set(record, member, typeof record[member] === 'number' ? `${record[member]}` : 1);
    },
    log,
  );
for (const [member, ...wrong] of [
  ['op', 'x'.repeat(65)],
  ['code', 'x'.repeat(65)],
  ['source', 'x'.repeat(65)],
  ['detail', 'x'.repeat(1025)],
  ['context.user', 'x'.repeat(257)],
  ['context.host', 1],
  ['context.address', 1],
  ['context.program', 1],
  ['context.session', 1],
  ['secrets', [[random(8), random(32)]]],
  ['header', 0],
  ['seq', 0],
] as const)
  for (const value of wrong)
    refuses(
      ': members are not as they should be',
      `audit: ${member}`,
      (file) => {
        file.set(file.records[1] ?? {}, member, value as unknown as Json);
      },
      log,
    );
accepts('an attempt to unlock', (file) => attempt(file), log);
for (const [member, value] of [
  ['op', 'other'],
  ['ok', true],
  ['count', 0],
  ['time', 'now'],
  ['seq', 'one'],
  ['log', 1],
  ['prev', 1],
] as const)
  refuses(
    ': members are not as they should be',
    `audit: ${member} of an attempt to unlock`,
    (file) => {
      file.set(attempt(file), member, value);
    },
    log,
  );
refuses(
  'audit record 1: not how a log starts',
  'audit: a record first',
  (file) => {
    file.set(file.records[0] ?? {}, 'op', 'put');
  },
  log,
);
refuses(
  'audit record 3: not how a log starts',
  'audit: a start later',
  (file) => {
    file.set(file.records[2] ?? {}, 'op', 'log');
  },
  log,
);
for (const [member, value] of [
  ['seq', 9],
  ['log', random(16)],
  ['prev', random(32)],
] as const)
  refuses(
    'audit record 3: no chain',
    `audit: another ${member}`,
    (file) => {
      file.set(file.records[2] ?? {}, member, value);
    },
    log,
  );
refuses(
  'audit record: wrong signature',
  'audit: by another key',
  (file) => {
    file.signedWith.set(file.records[2] ?? {}, file.key(id('ada')));
  },
  log,
);
accepts(
  'an audit record by a key that is retired',
  (file) => {
    Object.assign(file.records[2] ?? {}, { principal: id('old'), header: 2 });
  },
  log,
);
refuses(
  'audit record 3: signed by nobody that the vault knows',
  'audit: by a key that is retired, after its time',
  (file) => {
    Object.assign(file.records[2] ?? {}, { principal: id('old'), header: 99 });
  },
  log,
);
refuses(
  'audit record: wrong signature',
  'audit: by the key of now, in the time of a retired one',
  (file) => {
    const { records, header } = file;
    const entry: Json = { id: id('ada'), name: 'ada', signPub: keyOf(file, 'bob'), from: 1, until: 1 };
    file.set(header, 'retired', [...(header['retired'] as Json[]), entry]);
    Object.assign(records[2] ?? {}, { principal: id('ada'), header: 1 });
  },
  log,
);
refuses(
  'or has no such record as the snapshot names',
  'audit: another record',
  (file) => {
    file.anchor = [file.records.length, random(32)];
  },
  log,
);
refuses(
  'or has no such record as the snapshot names',
  'audit: behind',
  (file) => {
    file.anchor = [file.records.length + 1, random(32)];
  },
  log,
);
refuses(
  'the audit log is empty',
  'audit: nothing',
  (file) => {
    file.records.splice(0);
  },
  log,
);
refuses(
  'an unfinished line',
  'audit: an unfinished line',
  (file) => {
    file.unfinished = true;
  },
  log,
);
accepts(
  'a log of another place',
  (file) => {
    for (const record of file.records) record['log'] = 'AAAAAAAAAAAAAAAAAAAAAA';
    file.anchor = null;
  },
  log,
);
for (const [title, ends] of [
  ['that nobody followed', () => undefined],
  ['and is known not to have happened', aborts('owner')],
  ['and says itself that it did not happen', aborts('nobody')],
  ['and another one says that it did not happen, before joining', aborts('stranger')],
] as const)
  accepts(
    `audit: a join of keys that reached no file, ${title}`,
    (file) => {
      ends(file, joins(file));
    },
    log,
  );
accepts(
  'audit: what comes before a join that was never recorded',
  (file) => {
    appendTo(file, 'replaced', 'stranger', '');
    joins(file);
  },
  log,
);
for (const [title, spoil] of [
  [
    'that another write followed, with its number',
    (file) => appendTo(file, 'put', 'owner', JSON.stringify(file.records.at(-1)?.['seq'])),
  ],
  ['that another write followed', (file) => appendTo(file, 'put', 'owner', '')],
  ['whose number is not the one that did not happen', (file) => aborts('owner')(file, 1)],
] as readonly (readonly [string, (file: Sound) => unknown])[])
  refuses(
    'signed by nobody that the vault knows',
    `audit: a join of keys that reached no file, ${title}`,
    (file) => {
      joins(file);
      spoil(file);
    },
    log,
  );
for (const op of ['join', 'aborted', 'replaced'])
  refuses(
    'wrong signature',
    `audit: ${op}, in the name of somebody who has signed before`,
    (file) => {
      appendTo(file, op, 'owner', '');
      file.signedWith.set(file.records.at(-1) ?? {}, file.key(id('ada')));
    },
    log,
  );
refuses(
  'signed by nobody that the vault knows',
  'audit: another record of keys that reached no file',
  (file) => appendTo(file, 'put', 'nobody', ''),
  log,
);
accepts('a pruned log', async (file) => prune(file, 'owner'), log);
accepts(
  'a log that was pruned up to where the snapshot is',
  async (file) => {
    file.anchor = await prune(file, 'owner');
  },
  log,
);
for (const [title, says, pruning] of [
  ['pruned, and the vault does not say so', 'the vault does not say so', { policy: () => null }],
  [
    'pruned, and the vault says it of another record',
    'the vault does not say so',
    { policy: (place, _, digest) => `${place}=3:${digest}` },
  ],
  [
    'pruned, and the vault says it of another log',
    'the vault does not say so',
    { policy: (_, last, digest) => `${random(16)}=${last}:${digest}` },
  ],
  ['pruned, and nobody has recorded it', 'nobody has recorded it', { recordedBy: null }],
  ['pruned, and somebody else has recorded it', 'nobody has recorded it', { recordedBy: 'zoe' }],
  [
    'pruned, with a count that does not add up',
    'no chain',
    { detail: (right) => right.replace('1 2 2', '1 2 1') },
  ],
  [
    'pruned, with another last number',
    'the vault does not say',
    { detail: (right) => right.replace('1 2 2', '1 3 3') },
  ],
  ['pruned, and nothing is said of it', 'not by an administrator', { detail: () => '' }],
  [
    'policy: the same twice',
    'policy',
    { policy: (place, last, digest) => `${place}=${last}:${digest},${place}=${last}:${digest}` },
  ],
] as readonly (readonly [string, string, Pruning])[])
  refuses(says, `audit: ${title}`, async (file) => prune(file, 'owner', pruning), log);
refuses(
  'prune: not by an administrator',
  'audit: pruned by who may write',
  async (file) => prune(file, 'ada'),
  log,
);
refuses(
  'not how a log starts',
  'audit: a summary later',
  async (file) => {
    appendTo(file, 'prune', 'owner', '');
    return Promise.resolve();
  },
  log,
);
for (const days of ['0', '365', '36500']) accepts(`policy: records are kept for ${days} days`, policy(days));
for (const days of ['36501', '007', '', '-1', '1e3'])
  refuses("policy 'audit.days', or its value", `policy: ${days} days`, policy(days));

function policy(days: string): (file: Sound) => void {
  return (file) => {
    file.set(file.header, 'policy', [['audit.days', days], ...(file.header['policy'] as Json[])]);
  };
}

/** staging in two shards, as its keys and ids have it, or the other way round. */
async function halve(file: Sound, wrong: { names?: boolean; values?: boolean } = {}): Promise<void> {
  const [names, values] = [file.part('names', 'staging'), file.part('values', 'staging')];
  const [block = {}, line = {}] = [...lines(file, 'names', 'staging'), ...lines(file, 'values', 'staging')];
  const { secret = '' } = line;
  const index = await file.indexKey('staging');
  const nameIn =
    ((createHmac('sha256', index).update('api').digest()[0] ?? 0) >> 7) ^ (wrong.names === true ? 1 : 0);
  const valueIn = ((Buffer.from(str(secret), 'base64url')[0] ?? 0) >> 7) ^ (wrong.values === true ? 1 : 0);
  const named = { name: 'api', secret, type: 'other', description: '', tags: [], variable: '' };
  const entry = { ...named, created: early, interval: 0, hook: '', removed: '' };
  const blocks = [0, 1].map(async (shard) => {
    const content = { entries: shard === nameIn ? [entry] : [] };
    return [{ ...block, shard, sealed: await file.sealed('block', 'staging', content, 1, shard) }];
  });
  file.body.set(names, await Promise.all(blocks));
  file.body.set(values, valueIn === 0 ? [[line], []] : [[], [line]]);
  for (const part of [names, values]) file.set(part, 'bits', 1);
}

/** Somebody whom no header lists records what was found, and joins. @returns the number of that record */
function joins(file: Sound): number {
  appendTo(file, 'replaced', 'nobody', '');
  return appendTo(file, 'join', 'nobody', '');
}

function aborts(by: string): (file: Sound, join: number) => number {
  return (file, join) => appendTo(file, 'aborted', by, `${join}`);
}
accepts('a version that is purged in changes', (file) => purge(file));

runCases('rules of the body and the log');
