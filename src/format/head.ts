/** The head of a vault file: its lines found and held against the order of kinds, before any is parsed. docs/format.md section 2. */
import { IntegrityError } from '../errors.ts';
import { latin1, type Bytes } from '../crypto/bytes.ts';
import { limits } from './limits.ts';

/** Random access to the bytes of one vault file: an open file, or a buffer. `read` returns exactly `length` bytes. */
export interface ByteSource {
  readonly size: number;
  read(offset: number, length: number): Bytes;
}

const headOrder = [
  'vault',
  'root',
  'header',
  'succession',
  'slot',
  'bundle',
  'grant',
  'part',
  'request',
  'decision',
];
const bodyKinds = new Set(['block', 'value', 'purged', 'removed', 'snapshot']);
export const lineFeed = 0x0a;
/** The head of most vaults, also of shared ones, is in it: what is read again would be indexed again. */
const firstRead = 512 * 1024;

export function malformed(what: string): IntegrityError {
  return new IntegrityError(`malformed vault data: ${what}`);
}

export function refuseOther(source: ByteSource): never {
  const start = Buffer.from(source.read(0, Math.min(source.size, 64)));
  const newer = /^\{"kind":"vault","format":(\d{1,9}),/.exec(start.toString('latin1'));
  if (newer === null || newer[1] === '1') throw malformed('this is not a whole vault file');
  throw new IntegrityError(
    `vault format ${newer[1]} is newer than this program reads (1)`,
    {},
    'NEWER_FORMAT',
  );
}

/** Where a line of the head begins and ends, in bytes, without its LF. */
export interface HeadLine {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
}

export interface Head {
  /** All head lines with their LFs. */
  readonly bytes: Bytes;
  /** The same, and perhaps more behind it, one character a byte: the runtime searches text at once, and bytes one by one. */
  readonly text: string;
  readonly lines: readonly HeadLine[];
}

const opening = '{"kind":"';
const longestKind = 16;

/** Which kind the line says it is that begins there, from its first member; `null` if it does not begin with one. */
function kindAt(text: string, start: number): string | null {
  if (!text.startsWith(opening, start)) return null;
  const from = start + opening.length;
  const length = text.slice(from, from + longestKind + 1).indexOf('"');
  return length < 0 ? null : text.slice(from, from + length);
}

/** Read as much from the start of the file as the head needs. */
export function readHead(source: ByteSource): Head {
  if (source.size > limits.file) throw malformed('the file is larger than 1 GiB');
  for (let length = firstRead; ; length *= 4) {
    const available = source.read(0, Math.min(length, source.size, limits.head + limits.line));
    const text = latin1(available);
    const lines: HeadLine[] = [];
    let start = 0;
    while (start < available.length) {
      const kind = kindAt(text, start);
      if (kind !== null && bodyKinds.has(kind)) return { bytes: available.subarray(0, start), text, lines };
      const end = text.indexOf('\n', start);
      if (end - start > limits.line || start > limits.head)
        throw malformed('a line, or the head, is too long');
      if (end < 0) break;
      if (kind === null)
        throw start === 0 ? refuseOther(source) : malformed(`line ${lines.length + 1} has no kind`);
      lines.push({ kind, start, end });
      start = end + 1;
    }
    if (available.length === source.size || length > limits.head) {
      if (lines.length === 0) refuseOther(source);
      throw malformed('the file ends before its snapshot');
    }
  }
}

export function checkKindOrder(index: readonly { kind: string }[]): void {
  let at = 0;
  index.forEach(({ kind }, number) => {
    const part = kind === 'names' || kind === 'values' || kind === 'changes';
    const place = headOrder.indexOf(part ? 'part' : kind);
    if (place < at) throw malformed(`line ${number + 1} (${kind.slice(0, 12)}) stands where it may not`);
    at = place;
  });
}
