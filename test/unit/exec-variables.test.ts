import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import {
  buildEnvironment,
  variableFor,
  withoutOurCredentials,
  type EnvironmentOptions,
  type SecretVariable,
} from '../../src/exec/variables.ts';

function secret(
  name: string,
  value: string | Uint8Array,
  more: Partial<SecretVariable> = {},
): SecretVariable {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return { name, variable: null, value: bytes, selected: false, ...more };
}

function build(options: Partial<EnvironmentOptions>) {
  const { environment, warnings } = buildEnvironment({
    parent: {},
    secrets: [],
    prefix: '',
    pristine: false,
    override: false,
    platform: 'linux',
    ...options,
  });
  return { environment: Object.entries(environment), warnings };
}

function failure(options: Partial<EnvironmentOptions>): UsageError {
  try {
    build(options);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('variableFor', () => {
  test.each([
    ['database/url', 'DATABASE_URL'],
    ['API-key.v2', 'API_KEY_V2'],
    ['straße', 'STRA_E'],
    ['ıd', '_D'],
    ['a😀b', 'A_B'],
    ['e\u0301t', 'E_T'],
    ['__proto__', '__PROTO__'],
    ['2fa', null],
    ['日本', null],
    ['_', null],
    ['', null],
  ])('%s becomes %s', (name, variable) => expect(variableFor(name, null)).toBe(variable));

  test('what was recorded wins, in its own spelling', () => {
    expect(variableFor('HTTP PROXY', 'http_proxy')).toBe('http_proxy');
  });

  test('is a variable that every shell accepts, or nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0x10ffff)), (points) => {
        const variable = variableFor(String.fromCodePoint(...points), null);
        expect(variable ?? 'NOTHING').toMatch(/^[A-Z_][A-Z0-9_]*$/u);
      }),
    );
  });
});

describe('our credentials', () => {
  test('are removed, those of HashiCorp stay', () => {
    const parent = {
      VAULT_PASSPHRASE: 'p',
      VAULT_PASSPHRASE_FD: '3',
      VAULT_PASSPHRASE_FILE: 'f',
      VAULT_PASSPHRASE_COMMAND: 'c',
      VAULT_KEY_FILE: 'k',
      VAULT_ACCESS_TOKEN: 't',
      VAULT_ACCESS_TOKEN_FILE: 't',
      VAULT_PKCS11_PIN_FILE: 'p',
      VAULT_AGE_IDENTITY: 'a',
      VAULT_ADDR: 'https://vault',
      VAULT_TOKEN: 'hvs',
      NOTHING: undefined,
    };
    const kept = { VAULT_ADDR: 'https://vault', VAULT_TOKEN: 'hvs' };
    expect({ ...withoutOurCredentials(parent) }).toEqual(kept);
    expect(build({ parent }).environment).toEqual(Object.entries(kept));
  });

  test('are not what says where things are: a program that runs vault itself wants it', () => {
    const parent = { VAULT_PKCS11_MODULE: '/usr/lib/softhsm/libsofthsm2.so', VAULT_PATH: '/v' };
    expect({ ...withoutOurCredentials(parent) }).toEqual(parent);
  });

  test('are removed on Windows in any case', () => {
    expect({ ...withoutOurCredentials({ Vault_Passphrase: 'p' }, 'win32') }).toEqual({});
  });
});

describe('the environment', () => {
  test('is the caller’s and the secrets', () => {
    const { environment, warnings } = build({
      parent: { A: '1' },
      secrets: [secret('b/c', 'x=y\n'), secret('other', 'z', { variable: 'http_proxy' })],
      literals: { D: '4' },
    });
    expect(Object.fromEntries(environment)).toEqual({ A: '1', B_C: 'x=y\n', http_proxy: 'z', D: '4' });
    expect(warnings).toEqual([]);
  });

  test('can have a variable called __proto__', () => {
    const parent = JSON.parse('{"__proto__":"1"}') as Record<string, string>;
    expect(build({ parent }).environment).toEqual([['__proto__', '1']]);
    expect(build({ secrets: [secret('x', '2', { variable: '__proto__' })] }).environment).toEqual([
      ['__proto__', '2'],
    ]);
  });

  test('keeps a byte-order mark', () => {
    expect(build({ secrets: [secret('a', '\uFEFFx')] }).environment).toEqual([['A', '\uFEFFx']]);
  });

  test('pristine has only what a program needs to run', () => {
    const parent = {
      PATH: '/bin',
      LC_ALL: 'C',
      LCX: 'x',
      AWS_SECRET_ACCESS_KEY: 'x',
      HOME: '/root',
      FOO: 'x',
    };
    expect(build({ parent, pristine: true, secrets: [secret('foo', 'mine')] }).environment).toEqual([
      ['PATH', '/bin'],
      ['LC_ALL', 'C'],
      ['HOME', '/root'],
      ['FOO', 'mine'],
    ]);
    expect(
      build({ parent: { Path: 'C', SystemRoot: 'C', HOME: 'x' }, pristine: true, platform: 'win32' })
        .environment,
    ).toEqual([
      ['Path', 'C'],
      ['SystemRoot', 'C'],
    ]);
  });

  test('has the prefix, save where --map chose the variable', () => {
    const secrets = [
      secret('a', '1'),
      secret('2fa', '2'),
      secret('b', '3', { variable: 'bee' }),
      secret('c', '4', { variable: 'SEA', mapped: true }),
    ];
    expect(Object.fromEntries(build({ secrets, prefix: 'APP_' }).environment)).toEqual({
      APP_A: '1',
      APP_2FA: '2',
      APP_bee: '3',
      SEA: '4',
    });
    expect(failure({ secrets, prefix: '9' }).message).toContain('"9"');
  });

  test('warns of bytes that Node could not read', () => {
    expect(build({ parent: { A: 'caf\uFFFD' } }).warnings).toEqual([expect.stringContaining('A of your')]);
  });
});

describe('a secret without a valid variable', () => {
  test.each([
    ['2fa', null],
    ['日本', null],
    ['x', 'A=B'],
    ['x', ''],
    ['x', '9'],
    ['x', 'BASH_FUNC_ls%%'],
    ['x', 'A B'],
  ])('%s, recorded as %s', (name, variable) => {
    const { environment, warnings } = build({ secrets: [secret(name, 'canary', { variable })] });
    expect(environment).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining(JSON.stringify(name))]);
    const selected = failure({ secrets: [secret(name, 'canary', { variable, selected: true })] });
    expect(selected.code).toBe('USAGE');
    expect(warnings.join('') + selected.message).not.toContain('canary');
  });
});

describe('collisions', () => {
  test('are listed, all of them, with the names quoted', () => {
    const secrets = [
      secret('a/b', '1'),
      secret('a-b', '2'),
      secret('c', '3'),
      secret('x"y', '4'),
      secret('x.y', '5'),
    ];
    const error = failure({ secrets });
    expect(error.code).toBe('NAME_COLLISION');
    expect(error.message).toContain(String.raw`A_B from "a/b" and "a-b"; X_Y from "x\"y" and "x.y"`);
    expect(error.message).not.toContain('"c"');
  });

  test('of a secret and a plain value', () => {
    expect(failure({ secrets: [secret('a', '1')], literals: { A: '1' } }).code).toBe('NAME_COLLISION');
  });

  test('are not the same secret twice, and count case on Windows out', () => {
    expect(build({ secrets: [secret('a', '1'), secret('a', '1')] }).environment).toEqual([['A', '1']]);
    const cases = [secret('a', '1', { variable: 'x' }), secret('b', '2', { variable: 'X' })];
    expect(build({ secrets: cases }).environment).toHaveLength(2);
    expect(failure({ secrets: cases, platform: 'win32' }).code).toBe('NAME_COLLISION');
  });

  test('are no matter of --override', () => {
    expect(failure({ secrets: [secret('a', '1'), secret('A', '2')], override: true }).code).toBe(
      'NAME_COLLISION',
    );
  });
});

describe('without --override, refused', () => {
  test.each(
    (
      'PATH LD_PRELOAD LD_X DYLD_INSERT_LIBRARIES NODE_OPTIONS BASH_ENV ENV IFS PYTHONPATH PYTHONSTARTUP PERL5OPT ' +
      'PERL5LIB RUBYOPT RUBYLIB GIT_SSH_COMMAND GIT_X SHELLOPTS BASHOPTS PS4 PROMPT_COMMAND JAVA_TOOL_OPTIONS ' +
      '_JAVA_OPTIONS CLASSPATH NODE_PATH npm_config_script_shell NPM_CONFIG_USERCONFIG SSH_ASKPASS EDITOR PAGER ' +
      'BROWSER GCONV_PATH LOCPATH NLSPATH MALLOC_CHECK_ GLIBC_TUNABLES OPENSSL_CONF ZDOTDIR COMSPEC PATHEXT ' +
      'VAULT_PKCS11_MODULE VAULT_PASSPHRASE_COMMAND VAULT_TRUST_PROJECT'
    ).split(' '),
  )('%s', (variable) => {
    const secrets = [secret('s', 'canary', { variable })];
    const error = failure({ secrets });
    expect(error.message).toContain(variable);
    expect(error.message).not.toContain('canary');
    expect(failure({ literals: { [variable]: 'x' } }).code).toBe('USAGE');
    expect(build({ secrets, override: true }).environment).toEqual([[variable, 'canary']]);
  });

  test.each([
    'DATABASE_URL',
    'http_proxy',
    'path',
    'PYTHON_API_KEY',
    'GITHUB_TOKEN',
    'KUBECONFIG',
    'VAULT_TOKEN',
    'VAULT_PASSPHRASE',
  ])('but not %s', (variable) =>
    expect(build({ secrets: [secret('s', 'v', { variable })] }).environment).toEqual([[variable, 'v']]),
  );

  test('on Windows in any case', () => {
    expect(failure({ secrets: [secret('s', 'v', { variable: 'Path' })], platform: 'win32' }).code).toBe(
      'USAGE',
    );
  });

  test('a variable that the caller has with another value', () => {
    const secrets = [secret('a', 'canary'), secret('b', 'same')];
    const parent = { A: 'theirs', B: 'same' };
    const { message } = failure({ parent, secrets });
    expect(message).toContain('A (from "a")');
    expect(message).not.toMatch(/\bB\b|theirs|canary/u);
    expect(build({ parent, secrets, override: true }).environment).toContainEqual(['A', 'canary']);
    expect(build({ parent, secrets, pristine: true }).environment).toContainEqual(['A', 'canary']);
  });

  test('all at once', () => {
    const { message } = failure({ parent: { B: '1' }, secrets: [secret('path', 'x'), secret('b', 'x')] });
    expect(message).toMatch(/PATH.*; B /u);
  });

  test('and with it, Windows has one variable, not two', () => {
    const secrets = [secret('a', '2', { variable: 'FOO' })];
    expect(build({ parent: { Foo: '1' }, secrets, override: true, platform: 'win32' }).environment).toEqual([
      ['FOO', '2'],
    ]);
  });
});

describe('a value that cannot be a variable', () => {
  test.each([
    ['NUL', Uint8Array.of(0x63, 0, 0x64)],
    ['not UTF-8', Uint8Array.of(0x63, 0xff)],
    ['a lone surrogate', Uint8Array.of(0xed, 0xa0, 0x80)],
    ['too long', new Uint8Array(131_072 - 'BIG='.length).fill(0x63)],
  ])('%s', (_why, value) => {
    const error = failure({ secrets: [secret('big', value)] });
    expect(error.message).toContain('"big"');
    expect(error.message.length).toBeLessThan(200);
    expect(error.hint).toMatch(/--file.*--stdin/u);
    expect(error.cause).toBeUndefined();
  });

  test('the longest that Linux takes is taken', () => {
    const value = new Uint8Array(131_072 - 'BIG=\0'.length).fill(0x63);
    expect(build({ secrets: [secret('big', value)] }).environment).toHaveLength(1);
    expect(failure({ secrets: [secret('big', value)], platform: 'win32' }).message).toContain('too long');
  });
});
