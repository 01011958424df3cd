/** What the terminal library says of a key, as the model has it: a character, or a name in angle brackets. */
import type { Key } from 'ink';

const named: readonly (readonly [keyof Key, string])[] = [
  ['upArrow', '<up>'],
  ['downArrow', '<down>'],
  ['leftArrow', '<left>'],
  ['rightArrow', '<right>'],
  ['pageUp', '<pageup>'],
  ['pageDown', '<pagedown>'],
  ['home', '<home>'],
  ['end', '<end>'],
  ['return', '<enter>'],
  ['backspace', '<backspace>'],
  ['delete', '<backspace>'],
];

/** Control characters that come among others, where several keys arrive at once. */
const controls: Readonly<Record<string, string>> = {
  '\r': '<enter>',
  '\n': '<enter>',
  '\t': '<tab>',
  '\b': '<backspace>',
  '\u007f': '<backspace>',
  '\u0003': '<ctrl-c>',
  '\u0015': '<ctrl-u>',
  '\u001a': '<ctrl-z>',
  '\u001b': '<escape>',
};

/** Keys that were pressed, in order; keys without a meaning here are left out. */
export function keysOf(input: string, key: Key): readonly string[] {
  if (key.tab) return [key.shift ? '<backtab>' : '<tab>'];
  const name = named.find(([flag]) => key[flag] === true)?.[1];
  if (name !== undefined) return [name];
  if (key.escape) return ['<escape>'];
  if (key.ctrl) return /^[a-z]$/u.test(input) ? [`<ctrl-${input}>`] : [];
  const characters = Array.from(input).flatMap(
    (character) => controls[character] ?? (/\p{Cc}/u.test(character) ? [] : character),
  );
  // Escape, and then another key at once, looks like one key with a modifier.
  return key.meta ? ['<escape>', ...characters] : characters;
}
