/** Configuration files, right and wrong: the program and the published schemas are held to the same verdict on each. */

export interface Corpus {
  readonly schema: 'vault-json' | 'config';
  readonly accepted: readonly unknown[];
  /** With what the message says. */
  readonly refused: readonly (readonly [unknown, RegExp])[];
  /** Refused by the program alone: a schema cannot say it. */
  readonly beyond: readonly (readonly [unknown, RegExp])[];
}

/** Objects of JSON.parse: `__proto__` is a member there, which it would not be in a literal. */
const json = (text: string): unknown => JSON.parse(text) as unknown;

const provider = { type: 'aws', region: 'eu-west-1', retries: 3, verify: true, tags: ['a', 'b'] };
const everything = {
  $schema: 'https://vault.example/vault-json.schema.json',
  environment: 'production/payments',
  vault: '../shared/team.vault',
  required: {
    'db/password': { type: 'password', description: 'of the app’s own role', variable: 'PGPASSWORD' },
    'Schlüssel für Ümläute': {},
    'a"b\\c': { description: '' },
  },
  providers: { aws: provider, 'hv-1': { type: 'hashicorp', headers: { 'X-A': 'b' } } },
  chain: { default: ['aws', 'hv-1'], production: ['hv-1'] },
};

export const projectCorpus: Corpus = {
  schema: 'vault-json',
  accepted: [
    {},
    everything,
    { environment: 'x' },
    { environment: 'x'.repeat(128) },
    { required: json('{"__proto__":{"type":"other"},"constructor":{},"toString":{}}') },
    { required: { ['n'.repeat(1_024)]: { variable: 'V'.repeat(128), description: 'd'.repeat(4_096) } } },
    ...['hashicorp', 'azure', 'gcp', 'http', 'env', 'files', 'local', 'command'].map((type) => ({
      providers: { p: { type } },
    })),
    { providers: json('{"p":{"type":"http","headers":{"__proto__":"x"}}}') },
  ],
  refused: [
    [[], /all of it must be an object/u],
    ['x', /an object/u],
    [null, /an object/u],
    [{ environmnt: 'x' }, /there is no key "environmnt"/u],
    [json('{"__proto__":{"environment":"x"}}'), /there is no key "__proto__"/u],
    [json('{"required":{"x":{"__proto__":{"type":"other"}}}}'), /there is no key "__proto__" in required.x/u],
    [{ constructor: 1 }, /there is no key "constructor"/u],
    [{ command: 'rm -rf /' }, /there is no key "command"/u],
    [{ principal: 'ada' }, /there is no key "principal"/u],
    [{ environment: '' }, /environment will not do/u],
    [{ environment: 'a b' }, /white space/u],
    [{ environment: 'a\u202eb' }, /direction/u],
    [{ environment: 'x'.repeat(129) }, /128 bytes/u],
    [{ environment: 5 }, /environment must be a text/u],
    [{ environment: null }, /must be a text/u],
    [{ vault: '' }, /it is empty/u],
    [{ vault: 'a\0b' }, /NUL/u],
    [{ vault: ['x'] }, /vault must be a text/u],
    [{ required: {} }, /required is empty/u],
    [{ required: ['a'] }, /required must be an object/u],
    [{ required: { a: null } }, /required.a must be an object/u],
    [{ required: { '': {} } }, /name of a secret: it is empty/u],
    [{ required: { 'a\nb': {} } }, /control character/u],
    [{ required: { a: { type: 'Password' } } }, /required.a.type must be one of api-key/u],
    [{ required: { 'a b': { value: 'x' } } }, /there is no key "value" in required."a b"/u],
    [{ required: { a: { variable: '' } } }, /required.a.variable will not do/u],
    [{ required: { a: { variable: '1X' } } }, /will not do/u],
    [{ required: { a: { variable: 'A-B' } } }, /will not do/u],
    [{ required: { a: { variable: 'A\n' } } }, /will not do/u],
    [{ required: { a: { variable: 'V'.repeat(129) } } }, /128 bytes/u],
    [{ required: { a: { description: 1 } } }, /must be a text/u],
    [{ providers: {} }, /providers is empty/u],
    [{ providers: { p: {} } }, /providers.p has no type/u],
    [{ providers: { p: { type: 'gopher' } } }, /providers.p.type must be one of aws, hashicorp/u],
    [{ providers: { p: { type: ['aws'] } } }, /must be one of/u],
    [{ providers: { p: 'aws' } }, /providers.p must be an object/u],
    [{ providers: { 'p q': provider } }, /cannot be the ID of a provider/u],
    [{ providers: { ['p'.repeat(65)]: provider } }, /at most 64/u],
    [{ providers: { p: { type: 'aws', 'access key': 'x' } } }, /"access key" in providers.p/u],
    [{ providers: { p: json('{"type":"aws","__proto__":"x"}') } }, /"__proto__" in providers.p/u],
    [{ providers: { p: { type: 'aws', region: null } } }, /providers.p.region must be a text, number/u],
    [{ providers: { p: { type: 'aws', a: [1] } } }, /a\[0\] must be a text/u],
    [{ providers: { p: { type: 'aws', a: [] } } }, /is empty/u],
    [{ providers: { p: { type: 'aws', a: { b: { c: 'd' } } } } }, /a.b must be a text/u],
    [{ providers: { p: provider }, chain: {} }, /chain is empty/u],
    [{ providers: { p: provider }, chain: { default: 'p' } }, /chain.default must be a list/u],
    [{ providers: { p: provider }, chain: { default: [] } }, /chain.default is empty/u],
    [{ providers: { p: provider }, chain: { default: ['p', 'p'] } }, /the same one twice/u],
    [{ providers: { p: provider }, chain: { 'a b': ['p'] } }, /white space/u],
  ],
  beyond: [
    [{ chain: { default: ['p'] } }, /chain.default\[0\] is not the ID of one of the providers/u],
    [{ providers: { p: provider }, chain: { default: ['p', 'q'] } }, /chain.default\[1\]/u],
    [{ environment: 'ä'.repeat(128) }, /128 bytes/u],
    [{ required: { ['ä'.repeat(600)]: {} } }, /1024 bytes/u],
    [{ required: { a: { description: 'ä'.repeat(4_000) } } }, /4096 bytes/u],
  ],
};

export const userCorpus: Corpus = {
  schema: 'config',
  accepted: [
    {},
    {
      $schema: './config.schema.json',
      vault: '/home/ada/my.vault',
      environment: 'development',
      principal: 'ada',
      kdfEngine: 'native',
      session: { auto: true },
    },
    { vault: '~/vaults' },
    { vault: 'C:\\Users\\ada\\my.vault' },
    { session: {} },
    { kdfEngine: 'wasm', session: { auto: false } },
  ],
  refused: [
    [[], /an object/u],
    [{ Vault: '/x' }, /there is no key "Vault"/u],
    [{ required: { a: {} } }, /there is no key "required"/u],
    [json('{"__proto__":{}}'), /there is no key "__proto__"/u],
    [{ vault: 'my.vault' }, /vault must be an absolute path/u],
    [{ vault: '~ada/my.vault' }, /absolute/u],
    [{ vault: '' }, /it is empty/u],
    [{ vault: '/a\0' }, /NUL/u],
    [{ environment: 'a b' }, /white space/u],
    [{ principal: '' }, /it is empty/u],
    [{ principal: ['ada'] }, /principal must be a text/u],
    [{ kdfEngine: 'fast' }, /kdfEngine must be one of wasm, native/u],
    [{ session: true }, /session must be an object/u],
    [{ session: { auto: 'yes' } }, /session.auto must be true or false/u],
    [{ session: { ttl: 5 } }, /there is no key "ttl" in session/u],
    [{ 'session.auto': true }, /there is no key "session.auto"/u],
  ],
  beyond: [[{ principal: 'ä'.repeat(128) }, /128 bytes/u]],
};
