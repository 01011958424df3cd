/**
 * The spellings in which a value turns up in output: as it is, and encoded the way programs usually do.
 *
 * Known limit: compressed, encrypted, hashed, reversed, split or escaped in any other way, a value is not recognised.
 */

/** Values shorter than this are in ordinary output all the time. In bytes. */
export const shortestMasked = 4;
/** Lines of a value, and the middle of an encoding, shorter than this are too common to stand for it. In bytes. */
const shortestPart = 8;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** How many values (empty ones aside) are too short to be masked. */
export function tooShortToMask(values: readonly Uint8Array[]): number {
  return values.filter((value) => value.length > 0 && value.length < shortestMasked).length;
}

/**
 * Every spelling of `value`, in new buffers: the value itself; without line breaks at its end; each of its lines of 8 bytes
 * or more; and each of the first two in hexadecimal, base64, percent encoding, as the inside of a JSON string and of a
 * quoted shell word. Empty for a value that is too short.
 */
export function spellings(value: Uint8Array): Uint8Array[] {
  if (value.length < shortestMasked) return [];
  const whole = Buffer.from(value);
  const trimmed = whole.subarray(0, lengthWithoutLineBreaks(whole));
  // By content: many encodings of plain letters are the letters themselves.
  const found = new Map<string, Buffer>();
  const add = (bytes: Buffer): void => void found.set(bytes.toString('latin1'), bytes);

  for (const bytes of trimmed.length < shortestMasked ? [whole] : [whole, trimmed]) {
    add(bytes);
    for (const text of [...binaryEncodings(bytes), ...textEncodings(bytes)]) add(Buffer.from(text));
  }
  for (const line of lines(trimmed)) if (line.length >= shortestPart) add(Buffer.from(line));
  return [...found.values()];
}

function lengthWithoutLineBreaks(bytes: Buffer): number {
  let length = bytes.length;
  while (length > 0 && (bytes[length - 1] === 0x0a || bytes[length - 1] === 0x0d)) length--;
  return length;
}

function lines(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0x0a, start);
    const line = bytes.subarray(start, end === -1 ? bytes.length : end);
    parts.push(line.subarray(0, lengthWithoutLineBreaks(line)));
    start = end === -1 ? bytes.length : end + 1;
  }
  return parts;
}

function binaryEncodings(bytes: Buffer): string[] {
  const hex = bytes.toString('hex');
  const padded = bytes.toString('base64');
  const plain = [padded, padded.replace(/=+$/u, ''), ...insideBase64(bytes)];
  const urlSafe = plain.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  return [hex, hex.toUpperCase(), ...plain, ...urlSafe, ...wrapped(padded, 64), ...wrapped(padded, 76)];
}

/** The lines of base64 as PEM (64 columns) and MIME and base64(1) (76 columns) break it. */
function wrapped(base64: string, columns: number): string[] {
  if (base64.length <= columns) return [];
  const parts: string[] = [];
  for (let start = 0; start < base64.length; start += columns)
    parts.push(base64.slice(start, start + columns));
  return parts.filter((part) => part.length >= shortestPart);
}

/**
 * The characters of base64 that depend on these bytes alone, for each of the three places at which they can stand among
 * others (RFC 4648 section 4): `user:password` in a header holds the password at any of them.
 */
function insideBase64(bytes: Buffer): string[] {
  return [0, 1, 2]
    .map((before) => {
      const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
      const bits = 8 * (before + bytes.length);
      return text.slice(Math.ceil((8 * before) / 6), Math.floor(bits / 6));
    })
    .filter((text) => text.length >= shortestPart);
}

function textEncodings(bytes: Buffer): string[] {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return [];
  }
  const json = JSON.stringify(text).slice(1, -1);
  return [
    ...percentEncodings(text),
    json,
    json.replaceAll('/', String.raw`\/`),
    json.replace(/[<>&]/gu, escaped),
    json.replace(/[^\0-~]/g, escaped),
    text.replaceAll("'", String.raw`'\''`),
  ];
}

function percentEncodings(text: string): string[] {
  const component = encodeURIComponent(text);
  const strict = component.replace(
    /[!'()*]/gu,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const form = new URLSearchParams([['', text]]).toString().slice(1);
  const all = [encodeURI(text), component, strict, form];
  return [...all, ...all.map((one) => one.replace(/%../gu, (escape) => escape.toLowerCase()))];
}

/** A UTF-16 code unit as JSON escapes it. */
function escaped(unit: string): string {
  return String.raw`\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
