/** What configuration files may hold: by the program, and by the schemas that are published for editors. */
import { describe, expect, it } from 'vitest';
import { guardedKeys, parseProjectFile } from '../../../src/config/project-file.ts';
import { parseUserSettings } from '../../../src/config/user-settings.ts';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { UsageError } from '../../../src/errors.ts';
import { projectCorpus, userCorpus, type Corpus } from '../../support/config-corpus.ts';
import { attempt } from '../../support/failure.ts';
import { problemsWith } from '../../support/published-schemas.ts';

const file = '/home/ada/vault.json';
const project = (value: unknown) => parseProjectFile(utf8(JSON.stringify(value)), file);
const user = (value: unknown) => parseUserSettings(utf8(JSON.stringify(value)), file);

const corpora: readonly (readonly [string, Corpus, (value: unknown) => unknown])[] = [
  ['vault.json', projectCorpus, project],
  ['config.json', userCorpus, user],
];

describe.each(corpora)('%s', (_, corpus, parse) => {
  it.each(corpus.accepted.map((value) => [JSON.stringify(value).slice(0, 100), value]))(
    'may be %s',
    (_title, value) => {
      expect(() => parse(value)).not.toThrow();
      expect(problemsWith(corpus.schema, value)).toEqual([]);
    },
  );

  it.each(corpus.refused.map(([value, why]) => [JSON.stringify(value).slice(0, 100), value, why] as const))(
    'may not be %s',
    (_title, value, why) => {
      const error = attempt(() => parse(value));
      expect(error).toBeInstanceOf(UsageError);
      expect((error as UsageError).message).toMatch(why);
      expect((error as UsageError).message).toContain(`${file}, line 1: `);
      expect(problemsWith(corpus.schema, value)).not.toEqual([]);
    },
  );

  it.each(corpus.beyond.map(([value, why]) => [JSON.stringify(value).slice(0, 100), value, why] as const))(
    'may not be %s, which no schema can say',
    (_title, value, why) => {
      const error = attempt(() => parse(value));
      expect(error).toBeInstanceOf(UsageError);
      expect((error as UsageError).message).toMatch(why);
      expect(problemsWith(corpus.schema, value)).toEqual([]);
    },
  );
});

describe('parseProjectFile', () => {
  it('hands back what stands there, and nothing else', () => {
    expect(project({})).toEqual({
      environment: null,
      vault: null,
      required: [],
      providers: new Map(),
      chain: new Map(),
    });
    const all = project({
      environment: 'e',
      vault: 'v',
      required: { b: { variable: 'X' }, a: { type: 'token', description: 'd' } },
      providers: { p: { type: 'http', url: 'https://x', headers: { A: 'b' }, list: ['c'], retries: 2 } },
      chain: { default: ['p'] },
    });
    expect(all).toEqual({
      environment: 'e',
      vault: 'v',
      required: [
        { name: 'b', type: null, variable: 'X' },
        { name: 'a', type: 'token', variable: null },
      ],
      providers: new Map([
        [
          'p',
          {
            type: 'http',
            settings: new Map<string, unknown>([
              ['url', 'https://x'],
              ['headers', new Map([['A', 'b']])],
              ['list', ['c']],
              ['retries', 2],
            ]),
          },
        ],
      ]),
      chain: new Map([['default', ['p']]]),
    });
  });

  it('takes __proto__ for a name', () => {
    const text = '{"required":{"__proto__":{"variable":"PROTO"}}}';
    expect(parseProjectFile(utf8(text), file).required).toEqual([
      { name: '__proto__', type: null, variable: 'PROTO' },
    ]);
    expect(({} as Record<string, unknown>)['variable']).toBeUndefined();
  });

  it('says in which line a key is that it does not know, and which there are', () => {
    const text = '{\n  "environment": "x",\n\n  "envirnment": "hunter2"\n}\n';
    const error = attempt(() => parseProjectFile(utf8(text), file)) as UsageError;
    expect(error.message).toBe(`${file}, line 4: there is no key "envirnment"`);
    expect(error.hint).toBe('the keys are $schema, environment, vault, required, providers, chain');
    const hintOf = (wrong: string) => (attempt(() => parseProjectFile(utf8(wrong), file)) as UsageError).hint;
    expect(hintOf('{"environment": 5}')).toBe('correct that line of the file');
    expect(hintOf('{"environment": "x",}')).toContain('no comma after the last one');
  });

  it('quotes no value', () => {
    const messages = [...projectCorpus.refused, ...projectCorpus.beyond].flatMap(([value]) => {
      const text = JSON.stringify(value, (_key, inner: unknown) =>
        typeof inner === 'string' ? `hunter2 ${inner}` : inner,
      );
      const error = attempt(() => parseProjectFile(utf8(text), file));
      return error instanceof UsageError ? [error.message + error.hint] : [];
    });
    expect(messages.length).toBeGreaterThan(30);
    expect(messages.filter((message) => message.includes('hunter2'))).toEqual([]);
  });
});

describe('guardedKeys', () => {
  it('names what needs trust, and only that', () => {
    const providers = { p: { type: 'env' } };
    expect(guardedKeys(project({}))).toEqual([]);
    expect(guardedKeys(project({ environment: 'x', required: { a: {} }, $schema: 'x' }))).toEqual([]);
    expect(guardedKeys(project({ vault: 'x' }))).toEqual(['vault']);
    expect(guardedKeys(project({ vault: 'x', providers, chain: { default: ['p'] } }))).toEqual([
      'vault',
      'providers',
      'chain',
    ]);
  });
});
