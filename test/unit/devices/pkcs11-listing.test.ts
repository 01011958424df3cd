/** What pkcs11-tool prints, of the version that Debian 12 has and of newer ones. */
import { expect, test } from 'vitest';
import { parsePrivateKeys, parseTokens } from '../../../src/devices/pkcs11-listing.ts';

const slots = `Available slots:
Slot 0 (0x5d62e020): SoftHSM slot ID 0x5d62e020
  token label        : work token
  token manufacturer : SoftHSM project
  token model        : SoftHSM v2
  token flags        : login required, rng, token initialized, user PIN count low, PIN initialized, other flags=0x20
  hardware version   : 2.6
  firmware version   : 2.6
  serial num         : 42fdeef6dd62e020
  pin min/max        : 4/255
  uri                : pkcs11:model=SoftHSM%20v2;token=work%20token
Slot 1 (0x1): SoftHSM slot ID 0x1
  token state:   uninitialized
Slot 2 (0x2): Reader
  (empty)
Slot 3 (0xffffffffffffffff): (GetSlotInfo failed, CKR_GENERAL_ERROR)
Slot 4 (0x10): HSM: with a colon
  token label        : a : b
  token manufacturer : ключ
  token model        :
  token flags        : rng, token initialized
  serial num         :
  pin min/max        : 0/0
`;

test('tokens', () => {
  expect(parseTokens(slots)).toEqual([
    {
      slot: '1566760992',
      label: 'work token',
      manufacturer: 'SoftHSM project',
      model: 'SoftHSM v2',
      serial: '42fdeef6dd62e020',
      flags: [
        'login required',
        'rng',
        'token initialized',
        'user PIN count low',
        'PIN initialized',
        'other flags=0x20',
      ],
      pinLength: { least: 4, most: 255 },
    },
    {
      slot: '16',
      label: 'a : b',
      manufacturer: 'ключ',
      model: '',
      serial: '',
      flags: ['rng', 'token initialized'],
      pinLength: null,
    },
  ]);
  expect(parseTokens(slots.replaceAll('\n', '\r\n'))).toEqual(parseTokens(slots));
});

test('a slot keeps its whole number', () => {
  const [token] = parseTokens('Slot 0 (0xfffffffffffffffe): x\n  token label        : l\n');
  expect(token?.slot).toBe('18446744073709551614');
});

test('no tokens', () => {
  for (const text of [
    '',
    'Available slots:\n',
    'No slots.\n',
    'Using slot 0\n  token label        : stray\n',
  ])
    expect(parseTokens(text)).toEqual([]);
});

const objects = `Using slot 0 with a present token (0x0)
Public Key Object; RSA 2048 bits
  label:      public
  ID:         09
  Usage:      encrypt, verify
Private Key Object; RSA 
  label:      rsa: 1
  ID:         0AfB
  Usage:      decrypt, sign, unwrap
  Access:     sensitive, always sensitive, never extractable, local
  uri:        pkcs11:model=SoftHSM%20v2;id=%01;object=rsa;type=private
Private Key Object; EC_EDWARDS
  label:      ed
  ID:         02
Certificate Object; type = X.509 cert
  label:      certificate
  ID:         77
Private Key Object; EC
  Usage:      sign
Certificate Object; type = X.509 cert
  label:      not of the key above
  ID:         78
Private Key Object; unknown key algorithm 80
  label:      odd
Private Key Object
  ID:         not hexadecimal
`;

test('private keys, and nothing of other objects', () => {
  expect(parsePrivateKeys(objects)).toEqual([
    { type: 'RSA', label: 'rsa: 1', id: '0afb' },
    { type: 'EC_EDWARDS', label: 'ed', id: '02' },
    { type: 'EC', label: '', id: '' },
    { type: 'unknown', label: 'odd', id: '' },
    { type: '', label: '', id: '' },
  ]);
});

test('of two lines with one name the first counts', () => {
  const text = 'Private Key Object; RSA\n  label:      a\n  ID:         01\n  ID:         02\n';
  expect(parsePrivateKeys(text)).toEqual([{ type: 'RSA', label: 'a', id: '01' }]);
});
