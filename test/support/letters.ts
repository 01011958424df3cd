/** Characters to choose from. */
import fc from 'fast-check';

/** One of the characters of a text. */
export function oneOf(characters: string): fc.Arbitrary<string> {
  return fc.constantFrom(...Array.from(characters));
}

/** Text of these characters. */
export function textOf(characters: string, maxLength: number, minLength = 0): fc.Arbitrary<string> {
  return fc.string({ unit: oneOf(characters), minLength, maxLength });
}

/** Any sequence of UTF-16 units, lone surrogates too. */
export function anyUnits(maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)), maxLength });
}
