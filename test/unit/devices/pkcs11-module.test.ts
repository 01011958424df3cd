/** The library that is loaded is the user's word, never the vault's. docs/decisions/0007-devices.md. */
import { describe, expect, test } from 'vitest';
import { chooseModule, defaultModules, type ModuleSources } from '../../../src/devices/pkcs11-module.ts';
import { parsePkcs11Uri, parseStoredPkcs11Uri } from '../../../src/format/pkcs11-uri.ts';
import { failureOf } from '../../support/failure.ts';

const nowhere: ModuleSources = { typed: null, variable: null, configured: null };

describe('chooseModule', () => {
  test('takes what was typed before the variable, and that before the configuration', () => {
    const typed = parsePkcs11Uri('pkcs11:token=a?module-path=/typed.so');
    const all = { typed, variable: '/variable.so', configured: '/configured.so' };
    expect(chooseModule(all)).toBe('/typed.so');
    expect(chooseModule({ ...all, typed: parsePkcs11Uri('pkcs11:token=a') })).toBe('/variable.so');
    expect(chooseModule({ ...all, typed: null })).toBe('/variable.so');
    expect(chooseModule({ ...all, typed: null, variable: null })).toBe('/configured.so');
    expect(chooseModule(nowhere)).toBeNull();
  });

  test('nothing of a URI from a vault can be given to it', () => {
    const stored = parseStoredPkcs11Uri('pkcs11:token=a;id=%01');
    expect(Object.keys(stored).filter((name) => name.startsWith('module'))).toEqual([]);
  });

  test('a name gets what the platform puts around it', () => {
    const typed = parsePkcs11Uri('pkcs11:token=a?module-name=opensc-pkcs11');
    expect(chooseModule({ ...nowhere, typed }, 'linux')).toBe('opensc-pkcs11.so');
    expect(chooseModule({ ...nowhere, typed }, 'darwin')).toBe('opensc-pkcs11.dylib');
    const whole = parsePkcs11Uri('pkcs11:token=a?module-name=opensc-pkcs11.so');
    expect(chooseModule({ ...nowhere, typed: whole }, 'linux')).toBe('opensc-pkcs11.so');
  });

  test.each(['', '.', '..', './evil.so', 'folder/evil.so', '../evil.so', '/a\0b', 'a b'])(
    'a path that depends on the folder is refused: %j',
    async (module) => {
      for (const sources of [
        { ...nowhere, variable: module },
        { ...nowhere, configured: module },
        { ...nowhere, typed: { modulePath: module, moduleName: null } },
      ])
        expect(await failureOf(() => chooseModule(sources, 'linux'))).toMatchObject({ name: 'UsageError' });
    },
  );

  test('on Windows a plain name is one, too', async () => {
    const plain = { ...nowhere, variable: 'evil.dll' };
    expect(await failureOf(() => chooseModule(plain, 'win32'))).toMatchObject({ name: 'UsageError' });
    const absolute = { ...nowhere, variable: 'C:\\Program Files\\token.dll' };
    expect(chooseModule(absolute, 'win32')).toBe('C:\\Program Files\\token.dll');
  });
});

test('by default: p11-kit where the loader finds it by name, then pkcs11-tool’s own', () => {
  expect(defaultModules('linux')).toEqual(['p11-kit-proxy.so', null]);
  expect(defaultModules('darwin')).toEqual([null]);
});
