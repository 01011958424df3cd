/** What scripts/recover.py says of a head that breaks the rules of docs/format.md section 3, with every signature right. */
import { encodeBase64url } from '../../src/crypto/bytes.ts';
import { str, type Json, type Line } from '../support/loose-file.ts';
import {
  early,
  late,
  id,
  random,
  refuses,
  accepts,
  two,
  numbered,
  decisionOn,
  requestBy,
  approve,
  sortBundles,
  kimJoins,
  runCases,
} from '../support/vault-of-everything.ts';

// ---- Roots and header.

refuses('the roots are no chain', 'root: a number left out', (file) => {
  file.set(two(file.all('root'))[1], 'n', 2);
});
refuses('the roots are no chain', 'root: after another root', (file) => {
  file.set(two(file.all('root'))[1], 'prev', random(32));
});
refuses('the roots are no chain', 'root: the first is after one', (file) => {
  file.set(file.one('root'), 'prev', random(32));
});
refuses('an administrator twice', 'root', (file) => {
  const root = two(file.all('root'))[1];
  file.set(root, 'admins', [...(root['admins'] as Json[]), (root['admins'] as Json[])[0] ?? null]);
});
refuses('root: wrong signature', 'root: by another key', (file) => {
  file.signedWith.set(two(file.all('root'))[1], file.key(id('ada')));
});
refuses('(KeyError)', 'root: by somebody whom the root before does not list', (file) => {
  file.set(two(file.all('root'))[1], 'by', id('zoe'));
});
refuses('too many roots', 'root: one more than may be', (file) => {
  const last = two(file.all('root'))[1];
  for (let n = 2; n <= 4096; n++) file.insert({ ...last, n }, 'root');
});
refuses('not for the last root', 'header: for another root', (file) => {
  file.set(file.header, 'root', random(32));
});
refuses('not for the last root', 'header: another key of an administrator', (file) => {
  file.setPrincipal(
    'zoe',
    'signPub',
    (file.header['principals'] as Line[])[file.principal('ada')]?.['signPub'],
  );
});
refuses('header: wrong signature', 'header: by another key', (file) => {
  file.signedWith.set(file.header, file.key(id('ada')));
});
refuses('(KeyError)', 'header: by who is no administrator', (file) => {
  file.set(file.header, 'by', id('ada'));
});
refuses('names or ids are not distinct', 'header: a name twice', (file) => {
  file.setPrincipal('ivy', 'name', 'ada');
});
refuses('names or ids are not distinct', 'header: an environment’s name twice', (file) => {
  file.set(file.header, 'environments.1.name', 'development');
});
refuses('names or ids are not distinct', 'header: a principal twice', (file) => {
  const principals = file.header['principals'] as Line[];
  file.set(file.header, 'principals', [...principals, { ...principals[file.principal('ivy')], name: 'iva' }]);
});
for (const name of [
  'a b',
  'a\u00a0b',
  'a\u2028b',
  'a\u0085b',
  'a\u202eb',
  'a\u2066b',
  'a\u061cb',
  'a\u200fb',
])
  for (const where of ['principals', 'environments', 'retired'])
    refuses('a name with characters', `header: ${JSON.stringify(name)} in ${where}`, (file) => {
      file.set(file.header, `${where}.1.name`, name);
    });
/** y coordinates of the points of small order; of p, of one more than p and of the greatest there is. All in little-endian hexadecimal. */
const eighth = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a';
const minusEighth = '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05';
const notKeys = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  eighth,
  minusEighth,
  `${minusEighth.slice(0, -2)}85`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
  'ff'.repeat(32),
];
for (const hex of notKeys)
  refuses('of small order', `header: the key ${hex}`, (file) => {
    file.setPrincipal('kim', 'signPub', Buffer.from(hex, 'hex').toString('base64url'));
  });
for (const where of ['retired.0.signPub', 'ivy invited'])
  refuses('of small order', `header: ${where}`, (file) => {
    const [name = '', member] = where.split(' ');
    const key = encodeBase64url(new Uint8Array(32));
    if (member === undefined) file.set(file.header, name, key);
    else file.setPrincipal(name, member, key);
  });
refuses('environments out of order', 'rights: of no order', (file) => {
  file.setPrincipal('ada', 'read', [file.env('staging'), file.env('development')]);
});
refuses('environments out of order, or not listed', 'rights: in no environment', (file) => {
  file.setPrincipal('ivy', 'list', ['AAAAAAAAAAA']);
});
refuses('rights that do not go together', 'rights: both to list and to read', (file) => {
  file.setPrincipal('ada', 'list', [file.env('staging')]);
});
for (const right of ['rotate', 'write', 'delete'])
  refuses('rights that do not go together', `rights: ${right} without list`, (file) => {
    file.setPrincipal('ada', right, [file.env('production')]);
  });
refuses('rights of an administrator', 'rights: of an administrator', (file) => {
  file.setPrincipal('zoe', 'read', [file.env('production')]);
});
refuses('neither joined nor is awaited', 'header: a principal without keys and invitation', (file) => {
  file.setPrincipal('ivy', 'invited', '');
});
refuses('neither joined nor is awaited', 'header: an invitation beside keys', (file) => {
  file.setPrincipal('ada', 'invited', file.get(file.header, `principals.${file.principal('bob')}.signPub`));
});
for (const right of ['rotate', 'write'])
  refuses('without a key to seal to', `header: no key for who may ${right} and not read`, (file) => {
    file.setPrincipal('bob', 'rotate', []);
    file.setPrincipal('bob', right, [file.env('production')]);
    file.set(file.header, 'environments.2.sealPub', '');
  });
refuses('not a range of the past', 'retired: the wrong way round', (file) => {
  file.set(file.header, 'retired.0.from', 3);
  file.set(file.header, 'retired.0.until', 2);
});
refuses('not a range of the past', 'retired: until now', (file) => {
  file.set(file.header, 'retired.0.until', Number(file.header['n']));
});
refuses('ranges that meet', 'retired: ranges of one id', (file) => {
  const retired = file.header['retired'] as Line[];
  const [first = {}, second = {}] = retired.filter((entry) => entry['name'] === 'ci');
  file.set(file.header, `retired.${retired.indexOf(second)}.from`, first['until']);
});
refuses('policy: out of order', 'policy: of no order', (file) => {
  file.set(file.header, 'policy', [
    ['rekey.days', '1'],
    ['kdf.function', 'pbkdf2'],
  ]);
});
refuses('policy: out of order, or twice', 'policy: a key twice', (file) => {
  file.set(file.header, 'policy', [
    ['rekey.days', '1'],
    ['rekey.days', '1'],
  ]);
});
for (const [key, ...wrong] of [
  ['future', '1'],
  ['environment.default', '', 'AAAAAAAAAAA', 'production'],
  ['factors.administrators', '0', '3', '01', ''],
  ['factors.everyone', '0', '3'],
  ['kdf.function', 'scrypt', ''],
  ['passphrase.days', '3651', '-1', '007', '1.5'],
  ['rekey.days', '3651', ''],
  ['retention.days', '36501', '-1', ''],
  ['retention.versions', '0', '10001', '010'],
  ['tokens.reissue', '', 'AAAA', 'AAAAAAAAAAA,', 'AAAAAAAAAAA AAAAAAAAAAA'],
] as const)
  for (const value of wrong)
    refuses(`policy '${key}', or its value, is not known`, `policy: ${key} = ${value}`, (file) => {
      file.set(file.header, 'policy', [[key, value]]);
    });
accepts('every key of the policy', (file) => {
  file.set(file.header, 'policy', [
    ['environment.default', file.env('staging')],
    ['factors.administrators', '2'],
    ['factors.everyone', '1'],
    ['kdf.function', 'argon2id'],
    ['passphrase.days', '0'],
    ['rekey.days', '3650'],
    ['retention.days', '365'],
    ['retention.versions', '10000'],
    ['tokens.reissue', 'AAAAAAAAAAA,AAAAAAAAAAE'],
  ]);
});

// ---- Credentials and grants.

refuses('succession: for another entry', 'succession: of who has keys', (file) => {
  const succession = file.one('succession');
  file.insert({ ...succession, principal: id('kim') }, 'header');
});
refuses('succession: for another entry', 'succession: to another entry', (file) => {
  file.set(file.one('succession'), 'prev', random(32));
});
refuses('succession: wrong signature', 'succession: by another key', (file) => {
  file.signedWith.set(file.one('succession'), file.key(id('ada')));
});
for (const [kdf, member, ...wrong] of [
  ['pbkdf2', 'iterations', 99_999, 10_000_001],
  ['argon2id', 'memoryKiB', 8191, 2_097_153],
  ['argon2id', 'passes', 0, 33],
  ['argon2id', 'lanes', 0, 17],
] as const)
  for (const value of wrong)
    refuses('slot: its kdf is out of bounds', `slot: ${member} ${value}`, (file) => {
      const slot = file.one('slot', 'passphrase');
      const argon = { name: 'argon2id', memoryKiB: 8192, passes: 1, lanes: 1 };
      file.set(slot, 'kdf', {
        ...(kdf === 'argon2id' ? argon : { name: 'pbkdf2-hmac-sha256' }),
        [member]: value,
      });
    });
refuses('two slots of one id', 'slot: an id twice', (file) => {
  file.set(file.one('slot', id('eve')), 'id', file.one('slot', id('ada'))['id']);
});
refuses('not one bundle for each principal', 'bundle: none', (file) => {
  file.remove(file.one('bundle', id('ada')), file.one('slot', id('ada')));
});
refuses('not one bundle for each principal', 'bundle: of an invited one', (file) => {
  file.head.splice(
    file.head.findIndex(({ kind }) => kind === 'grant'),
    0,
    {
      ...file.one('bundle', id('eve')),
      by: id('ivy'),
    },
  );
  sortBundles(file);
});
refuses('does not list exactly its slots', 'bundle: another slot', (file) => {
  file.set(file.one('bundle', id('ada')), 'slots', [random(32)]);
});
refuses('does not list exactly its slots', 'slot: of who has not joined', (file) => {
  const kim = { ...file.one('slot', id('eve')), principal: id('kim'), id: random(8) };
  file.head.splice(file.head.indexOf(file.one('slot', id('eve'))), 0, kim);
});
refuses('a principal joined without a slot', 'succession: without a slot', (file) => {
  file.remove(file.one('slot', id('eve')));
});
refuses('a principal joined without a slot', 'bundle: of an awaited one, without a slot', (file) => {
  kimJoins(file);
});
accepts('the bundle of an awaited one, with a slot', (file) => {
  kimJoins(file);
  const slot = { ...file.one('slot', id('eve')), principal: id('kim'), id: random(8) };
  file.head.splice(file.head.indexOf(file.one('slot', id('eve'))), 0, slot);
});
refuses('bundle: wrong signature', 'bundle: by another key', (file) => {
  file.signedWith.set(file.one('bundle', id('bob')), file.key(id('ada')));
});
const wrongGrants = 'grants are not those';
refuses(wrongGrants, 'grant: none', (file) => {
  file.remove(file.one('grant', id('ada')));
});
refuses(wrongGrants, 'grant: of who has not joined', (file) => {
  const grant = { ...file.one('grant', id('kim')), principal: id('ivy') };
  file.insert(grant, 'grant');
});
refuses(wrongGrants, 'grant: before the header says so', (file) => {
  file.insert({ ...file.one('grant', id('kim')), principal: id('eve') }, 'grant');
});
refuses(wrongGrants, 'grant: of who had expired', (file) => {
  file.setPrincipal('dan', 'expires', early);
});
refuses(wrongGrants, 'grant: none of who had not expired', (file) => {
  file.expire('ci', early);
  file.setPrincipal('ci', 'expires', str(file.header['time']));
});
accepts('a grant of who expires at that very time', (file) => {
  file.setPrincipal('ci', 'expires', str(file.header['time']));
});
refuses(wrongGrants, 'grant: of another level', (file) => {
  file.set(file.one('grant', id('bob')), 'level', 'read');
});
refuses(wrongGrants, 'grant: of another epoch', (file) => {
  file.set(file.one('grant', id('bob')), 'epoch', 1);
});
refuses(wrongGrants, 'grant: without the right', (file) => {
  file.setPrincipal('ci', 'read', []);
});

// ---- Parts.

refuses('not one names and one values line', 'names: none', (file) => {
  file.remove(file.part('names', 'staging'));
});
refuses('not one names and one values line', 'values: none', (file) => {
  file.remove(file.part('values', 'staging'));
});
for (const kind of ['names', 'values'])
  for (const right of ['list', 'read', 'rotate', 'delete'])
    refuses(`${kind}: its signer has no right`, `${kind}: by who may ${right}`, (file) => {
      file.allow('ci', 'staging', right);
      file.set(file.part(kind, 'staging'), 'by', id('ci'));
    });
for (const right of ['list', 'read', 'write'])
  refuses('changes: its signer has no right', `changes: by who may ${right}`, (file) => {
    file.allow('dan', 'production', right);
  });
accepts('names and values by who may write', (file) => {
  file.allow('ci', 'staging', 'write');
  for (const kind of ['names', 'values']) file.set(file.part(kind, 'staging'), 'by', id('ci'));
});
refuses('(KeyError)', 'values: by nobody', (file) => {
  file.set(file.part('values', 'production'), 'by', 'AAAAAAAAAAA');
});
for (const [kind, environment] of [
  ['names', 'staging'],
  ['values', 'staging'],
  ['changes', 'production'],
] as const) {
  refuses(`${kind}: wrong signature`, `${kind}: by another key`, (file) => {
    file.signedWith.set(file.part(kind, environment), file.key(id('eve')));
  });
  refuses(`${kind}: of another epoch`, kind, (file) => {
    file.set(file.part(kind, environment), 'epoch', 9);
  });
}
refuses('changes: to other values', 'changes', (file) => {
  file.set(file.one('changes'), 'base', random(32));
});
refuses('names: not 2^bits shards', 'names: too few shards', (file) => {
  file.set(file.one('names'), 'bits', 1);
});
refuses('snapshot: wrong signature', 'snapshot: by another key', (file) => {
  file.signedWith.set(file.snapshot, file.key(id('ada')));
});
refuses('(KeyError)', 'snapshot: by nobody', (file) => {
  file.set(file.snapshot, 'by', 'AAAAAAAAAAA');
});
refuses('of a principal that has not joined', 'snapshot: by who is awaited', (file) => {
  kimJoins(file);
  file.remove(file.one('bundle', id('kim')));
  file.set(file.snapshot, 'by', id('kim'));
});
refuses('not the one that the snapshot names', 'snapshot: of another head', (file) => {
  file.set(file.snapshot, 'head', random(32));
});
refuses('logs: out of order', 'snapshot: logs', (file) => {
  const log: Json = [encodeBase64url(new Uint8Array(16)), 1, random(32)];
  file.set(file.snapshot, 'logs', [...(file.snapshot['logs'] as Json[]), log]);
});
for (const kind of ['header', 'names', 'values', 'changes', 'snapshot'])
  refuses(`${kind}: its signer expired`, `${kind}: after the signer’s end`, (file) => {
    const by = { header: 'zoe', snapshot: 'ci' }[kind] ?? 'dan';
    const part = kind === 'snapshot' ? file.snapshot : kind === 'header' ? file.header : null;
    file.expire(by, early);
    if (kind === 'names' || kind === 'values') {
      file.setPrincipal('dan', 'write', [file.env('production')]);
      file.set(file.part(kind, 'production'), 'by', id('dan'));
    } else if (part !== null) file.set(part, 'by', id(by));
  });
for (const kind of [
  'root',
  'header',
  'succession',
  'bundle',
  'names',
  'values',
  'changes',
  'request',
  'decision',
])
  refuses(`${kind}: younger than the snapshot`, kind, (file) => {
    approve(file);
    file.set(file.one(kind), 'time', late);
  });
accepts('a part of the very time at which its signer expires', (file) => {
  file.expire('dan', str(file.one('changes', id('dan'))['time']));
});
const later = 'its signer saw a later state';
for (const kind of ['header', 'names', 'values', 'changes']) {
  refuses(`${kind}: ${later}`, `${kind}: of another header`, (file) => {
    file.set(file.one(kind), 'seen.header', Number(file.header['n']) + 1);
  });
  for (const [what, counters] of [
    ['names', [99, 1, []]],
    ['values', [1, 99, []]],
  ] as const)
    refuses(`${kind}: ${later}`, `${kind}: of other ${what}`, (file) => {
      file.set(file.one(kind), 'seen.parts', [[file.env('staging'), ...(counters as unknown as Json[])]]);
    });
  refuses(`${kind}: ${later}`, `${kind}: of other changes`, (file) => {
    const { n = 0 } = file.part('values', 'production');
    const counters: Json[] = [file.env('production'), 1, n, [[id('bob'), 2]]];
    file.set(file.one(kind), 'seen.parts', [counters]);
  });
}
accepts('who saw changes that were folded since, or an environment that is gone', (file) => {
  const { n } = file.part('values', 'production');
  const folded: Json[] = [file.env('production'), 1, Number(n) - 1, [[id('bob'), 9]]];
  file.set(file.header, 'seen.parts', [folded, ['AAAAAAAAAAA', 99, 99, []]]);
});

accepts('a vault without environments', (file) => {
  const { header } = file;
  for (const name of ['ada', 'bob', 'dan', 'ci', 'kim', 'ivy', 'eve'])
    for (const right of ['list', 'read', 'rotate', 'write', 'delete']) file.setPrincipal(name, right, []);
  file.set(header, 'environments', []);
  file.set(header, 'policy', []);
  for (const kind of ['grant', 'names', 'values', 'changes']) file.remove(...file.all(kind));
});

// ---- Requests and decisions.

accepts('requests and decisions', (file) => {
  approve(file);
});
accepts('a request by a key that is retired', (file) => {
  approve(file);
  file.set(two(file.all('request'))[0], 'by', id('old'));
});
refuses('request: wrong signature', 'request: by another key', (file) => {
  approve(file);
  file.signedWith.set(file.one('request'), file.key(id('ada')));
});
for (const right of ['list', 'read', 'delete'])
  refuses('request: its signer has no right', `request: by who may ${right}`, (file) => {
    approve(file);
    file.allow('ci', 'production', right);
    file.set(file.one('request'), 'by', id('ci'));
  });
for (const right of ['list', 'read', 'rotate', 'delete'])
  refuses('decision: its signer has no right', `decision: by who may ${right}`, (file) => {
    approve(file);
    file.allow('ci', 'production', right);
    file.set(file.one('decision'), 'by', id('ci'));
  });
accepts('a request and a decision by who may write', (file) => {
  approve(file);
  for (const name of ['ci', 'ada']) file.allow(name, 'production', 'write');
  file.set(file.one('names', id('ada')), 'by', id('owner'));
  file.set(file.one('values', id('ada')), 'by', id('owner'));
  file.set(file.one('value', id('ada')), 'by', id('owner'));
  file.set(file.one('request', id('bob')), 'by', id('ci'));
  file.set(file.one('decision'), 'by', id('ada'));
});
refuses('decision: on another request', 'decision: by who asked', (file) => {
  approve(file);
  file.setPrincipal('bob', 'write', [file.env('production')]);
  file.set(file.one('decision'), 'by', id('bob'));
});
refuses('decision: on another request', 'decision: of another digest', (file) => {
  approve(file);
  file.set(file.one('decision'), 'digest', random(32));
});
refuses('(KeyError)', 'decision: on no request', (file) => {
  approve(file);
  file.set(file.one('decision'), 'request', 'AAAAAAAAAAA');
});
refuses('two decisions of one signer', 'decision', (file) => {
  approve(file);
  for (const line of file.all('decision')) file.set(line, 'by', id('owner'));
});
accepts('a request of this epoch', (file) => {
  approve(file);
  const epoch = file.environment('production')['epoch'] ?? 0;
  for (const line of file.all('request')) file.set(line, 'epoch', epoch);
});
refuses('request: of an epoch to come', 'request', (file) => {
  approve(file);
  file.set(file.one('request'), 'epoch', 9);
});
refuses('(KeyError)', 'request: in no environment', (file) => {
  approve(file);
  file.set(file.one('request'), 'by', id('owner'));
  file.set(file.one('request'), 'environment', 'AAAAAAAAAAA');
});
refuses('too many requests', 'request: one more than may be', (file) => {
  const line = (i: number): Line => ({ ...requestBy('owner', file), id: numbered(i) });
  for (let i = 0; i <= 1024; i++) file.insert(line(i), 'changes', 'request');
});
refuses('too many requests or decisions', 'decision: one more than may be', (file) => {
  file.insert({ ...requestBy('bob', file), id: numbered(0) }, 'changes');
  for (let i = 0; i <= 4096; i++)
    file.insert({ ...decisionOn(numbered(0)), id: numbered(i) }, 'request', 'decision');
});

runCases('rules of the head');
