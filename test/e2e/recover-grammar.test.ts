/** What scripts/recover.py says of lines that are not well formed, or not in their place. docs/format.md sections 1 to 3 and 5. */
import { str, type Json, type Line } from '../support/loose-file.ts';
import {
  early,
  id,
  random,
  refuses,
  accepts,
  two,
  lines,
  approve,
  mark,
  runCases,
} from '../support/vault-of-everything.ts';

// ---- What is well made.

for (const who of ['owner', 'ada', 'bob', 'dan', 'zoe', 'ci', 'eve'])
  accepts(`the file as it is, to ${who}`, () => undefined, { who });

// ---- Grammar: whatever is not as it should be, of every line.

const malformed = (kind: string): string => `${kind}: members are not as they should be`;

/** Lines of head and body, with one for every spelling; a snapshot; and requests, which no program makes yet. */
const kinds: Readonly<Record<string, string>> = {
  vault: 'format id',
  root: 'n prev time by admins sig',
  header: 'n time by seen root principals retired environments policy sig',
  succession: 'principal time signPub sealPub prev sig',
  slot: 'principal id type kdf salt hint commit wrapped',
  bundle: 'n time by slots sealed sig',
  grant: 'principal environment epoch level form ct',
  names: 'environment epoch n time by seen bits shards sig',
  values: 'environment epoch n time by seen bits shards sig',
  changes: 'environment epoch n time by seen base digest size sig',
  request: 'id environment secret version operation note epoch time expires by sig',
  decision: 'id request digest verdict time by sig',
  snapshot: 'n time by head logs sig',
  block: 'environment epoch shard sealed',
  value: 'environment epoch secret version state time author by form ct note prev decision sig',
  purged: 'environment secret through digest last time by sig',
  removed: 'environment secret time by sig',
};

for (const [kind, members] of Object.entries(kinds)) {
  for (const member of members.split(' ')) {
    if (kind === 'vault' && member === 'format') continue;
    refuses(malformed(kind), `${kind}: ${member} of another type`, (file) => {
      approve(file);
      const line = file.one(kind);
      file.set(line, member, typeof line[member] === 'number' ? `${line[member]}` : 1);
    });
  }
  refuses(malformed(kind), `${kind}: a member more`, (file) => {
    approve(file);
    file.set(file.one(kind), 'more', 1);
  });
  if (kind !== 'vault')
    refuses(malformed(kind), `${kind}: a member less`, (file) => {
      approve(file);
      file.set(file.one(kind), members.split(' ').at(-2) ?? '', undefined);
    });
}

/** A value of a member that is not to be: by line, path and value. */
const wrongValues: readonly (readonly [kind: string, path: string, ...wrong: readonly Json[]])[] = [
  ['root', 'admins', [], Array.from({ length: 1025 }, () => [random(8), random(32)])],
  ['root', 'admins.0.0', 'AAAAAAAAAA'],
  ['root', 'admins.0.1', ''],
  ['root', 'time', '2026-11-24T19:31:24Z', '2026-11-24 19:31:24.123Z'],
  ['header', 'n', 0, -1, 1.5, true],
  ['header', 'seen.header', -1],
  ['header', 'seen.parts.0.3', [['AAAAAAAAAAA', 0]]],
  ['header', 'seen.parts.0.3', Array.from({ length: 1025 }, () => ['AAAAAAAAAAA', 1])],
  ['header', 'seen.parts', Array.from({ length: 257 }, () => ['AAAAAAAAAAA', 1, 1, []])],
  ['header', 'principals', []],
  ['header', 'principals.0.id', 'AAAAAAAAAAB', 'AAAAAAAAAAAA', 'AAAAAAAAAA='],
  ['header', 'principals.0.name', '', 'x'.repeat(129)],
  ['header', 'principals.0.sealPub', 'AAAA'],
  ['header', 'principals.0.list', ['AAAA'], Array.from({ length: 257 }, () => 'AAAAAAAAAAA')],
  ['header', 'principals.0.expires', '2026'],
  ['header', 'principals.0.invited', 'AAAA'],
  ['header', 'retired.0.signPub', ''],
  ['header', 'retired.0.from', 0],
  ['header', 'retired.0.until', 0],
  ['header', 'environments.0.epoch', 0],
  ['header', 'environments.0.commitEnv', ''],
  ['header', 'environments.0.commitCatalog', ''],
  ['header', 'environments.0.sealPub', 'AAAA'],
  ['header', 'environments.0.sealed', ''],
  ['header', 'policy', [['a']], [['a', 'x'.repeat(65_537)]]],
  ['header', 'policy', Array.from({ length: 1025 }, (_, i) => [`a${i}`, ''])],
  ['succession', 'signPub', ''],
  ['succession', 'sealPub', ''],
  ['slot', 'type', 'other', 'removed', 'token', 'age'],
  ['slot', 'kdf', { name: 'none' }, { name: 'scrypt' }],
  ['slot', 'kdf.iterations', -1],
  ['slot', 'salt', 'AAAA'],
  ['slot', 'hint', 'x', early.slice(1)],
  ['slot', 'wrapped', '', 'AAAA'],
  ['bundle', 'n', 0],
  ['bundle', 'slots', Array.from({ length: 17 }, () => random(32))],
  ['bundle', 'sealed', random(12 + 2048 + 16)],
  ['grant', 'level', 'write'],
  ['grant', 'form', 'other', 'seal'],
  ['grant', 'ct', random(93)],
  ['names', 'n', 0],
  ['names', 'bits', 13],
  ['names', 'shards', []],
  ['names', 'shards', Array.from({ length: 4097 }, () => [random(32), 1])],
  ['names', 'shards.0.1', '1'],
  ['changes', 'base', ''],
  ['request', 'operation', 'put'],
  ['request', 'expires', ''],
  ['decision', 'verdict', 'perhaps'],
  ['snapshot', 'logs', [[random(16), 0, random(32)]]],
  ['value', 'state', 'other'],
  ['value', 'form', 'wrap'],
  ['value', 'version', 0],
  ['value', 'author', ''],
  ['value', 'decision', 'AAAA'],
  ['purged', 'through', 0],
  ['purged', 'last', ''],
];
for (const [kind, member, ...wrong] of wrongValues) {
  for (const [i, value] of wrong.entries()) {
    const shown = JSON.stringify(value).slice(0, 30);
    refuses(malformed(kind), `${kind}: ${member} is ${shown} (${i})`, (file) => {
      approve(file);
      const slot = (): Line => file.one('slot', 'passphrase', id('eve'));
      file.set(kind === 'slot' ? slot() : file.one(kind), member, value);
    });
  }
}
for (const [kind, member] of [
  ['token', 'hint'],
  ['recovery', 'hint'],
] as const)
  refuses(malformed('slot'), `${member} of a ${kind} slot`, (file) => {
    file.set(file.one('slot', kind), member, early);
  });
for (const [member, value] of [
  ['salt', random(16)],
  ['commit', random(32)],
  ['wrapped', random(92)],
  ['hint', ''],
] as const)
  refuses(malformed('slot'), `${member} of a removed slot`, (file) => {
    mark(file);
    file.set(file.one('slot', 'removed'), member, value);
  });

/** What JSON could also be written like. */
const spellings: readonly (readonly [title: string, says: string, (head: string) => string | Uint8Array])[] =
  [
    ['white space', malformed('header'), (head) => head.replace('"retired":', '"retired": ')],
    [
      'a character escaped',
      'header: not in the strict encoding',
      (head) => head.replace('"ada"', '"\\u0061da"'),
    ],
    ['a solidus escaped', 'header: not in the strict encoding', (head) => head.replace('"ada"', '"a\\/da"')],
    ['a member twice', malformed('header'), (head) => head.replace('"retired":', '"policy":[],"retired":')],
    ['a leading zero', malformed('header'), (head) => head.replace('"header","n":', '"header","n":0')],
    ['an exponent', malformed('header'), (head) => head.replace('"header","n":', '"header","n":1e')],
    [
      'a large number',
      'a number above 2^53',
      (head) => head.replace(/"header","n":\d+/u, '"header","n":9007199254740992'),
    ],
    [
      'no such day',
      '(ValueError)',
      (head) => head.replace(/("header","n":\d+,"time":")2\d\d\d-\d\d-\d\d/u, '$12026-02-30'),
    ],
    [
      'no such hour',
      '(ValueError)',
      (head) => head.replace(/("header","n":\d+,"time":"....-..-..T)\d\d/u, '$124'),
    ],
    ['a line end of Windows', malformed('vault'), (head) => head.replace('\n', '\r\n')],
    ['an empty line', 'kind of no line has no place here', (head) => head.replace('\n', '\n\n')],
    [
      'an unknown kind',
      'kind future has no place here',
      (head) => head.replace('\n', '\n{"kind":"future"}\n'),
    ],
    [
      'a body line in the head',
      'kind purged has no place here',
      (head) => head.replace('\n', '\n{"kind":"purged"}\n'),
    ],
    ['another format', 'format 2 is not known', (head) => head.replace('"format":1', '"format":2')],
    ['no vault', 'this is not a vault', (head) => head.replace('"vault"', '"fault"')],
    [
      'bytes that are no text',
      '(UnicodeDecodeError)',
      (head) => Buffer.from(head.replace('"ada"', '"\u00ff"'), 'latin1'),
    ],
  ];
for (const [title, says, rewrite] of spellings)
  refuses(says, `spelling: ${title}`, (file) => {
    file.rewrite = rewrite;
  });

/** Bits of the last character that mean nothing, in a sealed text that nobody here opens. */
refuses('second spelling', 'spelling: a sealed text with unused bits', (file) => {
  const line = file.one('value', 'seal');
  const [text, last] = [str(line['ct']), str(line['ct']).slice(-1)];
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  file.set(line, 'ct', text.slice(0, -1) + (digits[digits.indexOf(last) ^ 1] ?? ''));
});

// ---- Order.

for (const [title, kind, ...having] of [
  ['slots of one principal', 'slot', 'owner'],
  ['grants of one principal', 'grant', 'ada'],
  ['lines of two principals', 'bundle'],
  ['changes', 'changes'],
] as const)
  refuses('lines: out of order', `order: ${title}`, (file) => {
    const [first = {}, second = {}] = file
      .all(kind)
      .filter((line) => having.every((name) => line['principal'] === id(name)));
    file.swap(first, second);
  });
refuses('lines: out of order', 'order: requests', (file) => {
  approve(file);
  file.swap(...two(file.all('request')));
});
refuses('lines: out of order', 'order: decisions', (file) => {
  approve(file);
  file.swap(...two(file.all('decision')));
});
refuses('lines: out of order', 'order: names after values', (file) => {
  file.swap(file.part('names', 'staging'), file.part('values', 'staging'));
});
refuses('lines: out of order', 'order: environments', (file) => {
  const { head } = file;
  const [at] = [head.indexOf(file.part('names', 'development'))];
  head.splice(at, 0, ...head.splice(head.indexOf(file.part('names', 'staging')), 2));
});
refuses('lines: out of order', 'order: a grant twice', (file) => {
  file.insert({ ...file.one('grant') }, 'bundle');
});
refuses('lines: out of order', 'order: a header twice', (file) => {
  file.insert({ ...file.header }, 'header');
});
refuses('lines: out of order', 'order: a slot after its bundle', (file) => {
  const slot = file.all('slot').at(-1) ?? {};
  file.head.splice(file.head.indexOf(slot), 1);
  file.insert(slot, 'bundle');
});
refuses('lines: out of order', 'order: values of one secret', (file) => {
  file.swap(...two(file.all('value').filter(({ secret }) => secret === file.one('purged')['secret'])));
});
refuses('lines: out of order', 'order: a purged line after the versions', (file) => {
  const purged = file.one('purged');
  file.swap(purged, file.one('value', purged['secret'] ?? ''));
});
refuses('lines: out of order', 'order: secrets', (file) => {
  const [first = {}, ...rest] = lines(file, 'values', 'production');
  file.swap(first, rest.at(-1) ?? {});
});

refuses(malformed('grant'), 'grant: another form of the length of a sealed one', (file) => {
  file.set(file.one('grant', 'seal'), 'form', 'other');
});
accepts('the mark of a credential that is removed', (file) => {
  mark(file);
});

runCases('grammar and order');
