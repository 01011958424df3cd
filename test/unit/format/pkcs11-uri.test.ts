/** PKCS #11 URIs: what people type (RFC 7512), and the one spelling that a slot keeps. docs/format.md section 3, "slot". */
import { describe, expect, test } from 'vitest';
import {
  encodePkcs11Uri,
  isComplete,
  parsePkcs11Uri,
  parseStoredPkcs11Uri,
} from '../../../src/format/pkcs11-uri.ts';
import { failureOf } from '../../support/failure.ts';

const nothing = {
  token: null,
  manufacturer: null,
  model: null,
  serial: null,
  slotId: null,
  object: null,
  id: null,
  modulePath: null,
  moduleName: null,
  pinFile: null,
};

describe('what people type', () => {
  const understood: Record<string, object> = {
    'pkcs11:': {},
    'PKCS11:token=a': { token: 'a' },
    'pkcs11:id=%00%fF;object=k': { id: '00ff', object: 'k' },
    'pkcs11:id=abc': { id: '616263' },
    'pkcs11:slot-id=18446744073709551615': { slotId: '18446744073709551615' },
    "pkcs11:object=:[]@!$'()*+,=&-._~": { object: ":[]@!$'()*+,=&-._~" },
    'pkcs11:token=%D0%BA%D0%BB%D1%8E%D1%87;type=private': { token: 'ключ' },
    'pkcs11:serial=1?module-path=/usr/lib/libsofthsm2.so&pin-source=/run/pin': {
      serial: '1',
      modulePath: '/usr/lib/libsofthsm2.so',
      pinFile: '/run/pin',
    },
    'pkcs11:serial=1?module-name=opensc-pkcs11': { serial: '1', moduleName: 'opensc-pkcs11' },
    'pkcs11:?pin-source=file:/etc/a%20pin': { pinFile: '/etc/a pin' },
    'pkcs11:?pin-source=file:///etc/pin': { pinFile: '/etc/pin' },
    'pkcs11:?pin-source=pins/mine': { pinFile: 'pins/mine' },
  };
  test.each(Object.entries(understood))('%s', (uri, says) => {
    expect(parsePkcs11Uri(uri)).toEqual({ ...nothing, ...says });
  });

  test('the example of RFC 7512 section 3', () => {
    const uri =
      'pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;' +
      'object=my-certificate;type=private;id=%69%95%3E%5C%F4%BD%EC%91;serial=4?pin-source=file:/etc/token_pin';
    expect(parsePkcs11Uri(uri)).toEqual({
      ...nothing,
      token: 'The Software PKCS#11 Softtoken',
      manufacturer: 'Snake Oil, Inc.',
      model: '1.0',
      serial: '4',
      object: 'my-certificate',
      id: '69953e5cf4bdec91',
      pinFile: '/etc/token_pin',
    });
  });

  const refused: Record<string, RegExp> = {
    '': /begin with pkcs11/u,
    'token=a': /begin with pkcs11/u,
    'pkcs12:token=a': /begin with pkcs11/u,
    ' pkcs11:token=a': /begin with pkcs11/u,
    'pkcs11:token': /NAME=VALUE/u,
    'pkcs11:=a': /NAME=VALUE/u,
    'pkcs11:token=a;': /NAME=VALUE/u,
    'pkcs11:;token=a': /NAME=VALUE/u,
    'pkcs11:token=': /token is empty/u,
    'pkcs11:token=a;token=a': /token comes twice/u,
    'pkcs11:token=a;%74oken=b': /NAME=VALUE/u,
    'pkcs11:token=a%': /hexadecimal/u,
    'pkcs11:token=a%2': /hexadecimal/u,
    'pkcs11:token=a%2g': /hexadecimal/u,
    'pkcs11:token=a b': /must be percent-encoded/u,
    'pkcs11:token=a/b': /must be percent-encoded/u,
    'pkcs11:token=ü': /must be percent-encoded/u,
    'pkcs11:token=a#b': /must be percent-encoded/u,
    'pkcs11:token=a\n': /must be percent-encoded/u,
    'pkcs11:token=%ff': /not UTF-8/u,
    'pkcs11:token=%ED%A0%80': /not UTF-8/u,
    'pkcs11:token=a%00': /control character/u,
    'pkcs11:token=a%0Ab': /control character/u,
    'pkcs11:token=a%C2%85': /control character/u,
    [`pkcs11:token=${'a'.repeat(33)}`]: /token is too long/u,
    [`pkcs11:id=${'a'.repeat(256)}`]: /id is too long/u,
    [`pkcs11:token=${'%61'.repeat(3_000)}`]: /it is too long/u,
    'pkcs11:type=cert': /private key/u,
    'pkcs11:type=public': /private key/u,
    'pkcs11:slot-id=01': /slot-id/u,
    'pkcs11:slot-id=x': /slot-id/u,
    'pkcs11:slot-id=18446744073709551616': /slot-id/u,
    'pkcs11:library-manufacturer=a': /attribute library-manufacturer/u,
    'pkcs11:slot-description=a': /attribute slot-description/u,
    'pkcs11:x-vendor=a': /attribute x-vendor/u,
    'pkcs11:Token=a': /attribute Token/u,
    'pkcs11:pin-value=1234': /attribute pin-value/u,
    'pkcs11:token=a?pin-value=1234': /PIN may not stand/u,
    'pkcs11:token=a?x=y': /query attribute x/u,
    'pkcs11:token=a?token=b': /query attribute token/u,
    'pkcs11:token=a?pin-source=|pass%20pin': /command/u,
    'pkcs11:token=a?pin-source=file:pin': /path of a file/u,
    'pkcs11:token=a?pin-source=file://host/pin': /path of a file/u,
    'pkcs11:token=a?pin-source=file:/a%2520b': /path of a file/u,
    'pkcs11:token=a?module-path=/a&module-name=b': /exclude each other/u,
    'pkcs11:token=a?module-name=../b': /plain name/u,
    'pkcs11:token=a?module-path=/a&module-path=/b': /comes twice/u,
    'pkcs11:token=a?module-path=/a&': /NAME=VALUE/u,
    'pkcs11:token=a?module-path=': /module-path is empty/u,
  };
  test.each(Object.entries(refused))('%s is refused', async (uri, says) => {
    const failure = await failureOf(() => parsePkcs11Uri(uri));
    expect(failure).toMatchObject({ name: 'UsageError', exitCode: 2 });
    expect(failure.message).toMatch(says);
  });

  test('a PIN that was typed is not shown again', async () => {
    for (const uri of [
      'pkcs11:token=a?pin-value=314159',
      'pkcs11:pin-value=314159',
      'pkcs11:314159',
      'pkcs11:?314159',
    ]) {
      const { message, hint } = await failureOf(() => parsePkcs11Uri(uri));
      expect(`${message} ${hint}`).not.toContain('314159');
    }
  });
});

describe('what a slot keeps', () => {
  const one =
    'pkcs11:token=work%20%D0%BA;manufacturer=m;model=o%2Fp;serial=4;slot-id=7;object=k%3Bey;id=%00%FFa';
  const kept =
    'pkcs11:token=work%20%D0%BA;manufacturer=m;model=o%2Fp;serial=4;slot-id=7;object=k%3Bey;id=%00%FF%61';

  test('has one spelling, and neither library nor PIN in it', () => {
    const typed = `pkcs11:id=%00%ffa;object=k%3bey;type=private;slot-id=7;serial=%34;model=%6f%2fp;manufacturer=m;token=work%20%d0%ba?module-path=/evil.so&pin-source=/pin`;
    expect(encodePkcs11Uri(parsePkcs11Uri(typed))).toBe(kept);
    expect(encodePkcs11Uri(parsePkcs11Uri(one))).toBe(kept);
    const stored = parseStoredPkcs11Uri(kept);
    expect(encodePkcs11Uri(stored)).toBe(kept);
    expect(Object.keys(stored)).not.toContain('modulePath');
    expect(Object.keys(stored)).not.toContain('pinFile');
  });

  const refused = [
    one,
    '',
    'pkcs11:',
    'pkcs11:token=a',
    'pkcs11:id=%01',
    'pkcs11:slot-id=1;id=%01',
    'PKCS11:token=a;id=%01',
    'pkcs11:id=%01;token=a',
    'pkcs11:token=%61;id=%01',
    'pkcs11:token=a;id=%0a',
    'pkcs11:token=a;id=%01?',
    'pkcs11:token=a;id=%01?module-path=/evil.so',
    'pkcs11:token=a;id=%01?module-name=evil',
    'pkcs11:token=a;id=%01?pin-source=/pin',
    'pkcs11:token=a;id=%01?pin-value=1234',
    'pkcs11:token=a;id=%01;type=private',
    'pkcs11:token=a;id=%01\n',
  ];
  test.each(refused)('%s is damage', async (hint) => {
    expect(await failureOf(() => parseStoredPkcs11Uri(hint))).toMatchObject({
      code: 'INTEGRITY',
      exitCode: 7,
    });
  });

  test('names a token and a key', () => {
    const complete = ['token=a;id=%01', 'serial=a;object=b', 'token=a;serial=b;object=c;id=%01'];
    for (const path of complete) {
      expect(isComplete(parsePkcs11Uri(`pkcs11:${path}`))).toBe(true);
      expect(encodePkcs11Uri(parseStoredPkcs11Uri(`pkcs11:${path}`))).toBe(`pkcs11:${path}`);
    }
  });
});
