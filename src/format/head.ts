/** The head of a vault file: its lines found and held against the order of kinds, before any is parsed. docs/format.md section 2. */
import { IntegrityError } from '../errors.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { limits } from './limits.ts';
import { lineKind } from './json-line.ts';

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

/** Read as much from the start of the file as the head needs. */
export function readHead(source: ByteSource): { head: Bytes; index: { kind: string; raw: Bytes }[] } {
  if (source.size > limits.file) throw malformed('the file is larger than 1 GiB');
  for (let length = firstRead; ; length *= 4) {
    const available = source.read(0, Math.min(length, source.size, limits.head + limits.line));
    const index: { kind: string; raw: Bytes }[] = [];
    let start = 0;
    while (start < available.length) {
      const kind = lineKind(available.subarray(start));
      if (kind !== null && bodyKinds.has(kind)) return { head: available.subarray(0, start), index };
      const end = available.indexOf(lineFeed, start);
      if (end - start > limits.line || start > limits.head)
        throw malformed('a line, or the head, is too long');
      if (end < 0) break;
      if (kind === null)
        throw start === 0 ? refuseOther(source) : malformed(`line ${index.length + 1} has no kind`);
      index.push({ kind, raw: available.subarray(start, end) });
      start = end + 1;
    }
    if (available.length === source.size || length > limits.head) {
      if (index.length === 0) refuseOther(source);
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
