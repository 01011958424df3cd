/** Value, purged and removed lines as they are kept and ordered, without opening them. docs/format.md section 2. */
import { IntegrityError } from '../errors.ts';
import { parseBase64url, type Bytes } from '../crypto/bytes.ts';

/** A line of the body with what orders it. */
export interface StoredLine {
  readonly raw: Bytes;
  readonly secret: Bytes;
  /** 0 for the purged line, which comes first; `removedOrder` for the removed one, which comes last. */
  readonly version: number;
}

/** Above every version. */
const removedOrder = Number.MAX_SAFE_INTEGER + 1;

export function idBytes(id: string): Bytes {
  const bytes = parseBase64url(id);
  if (bytes === null) throw new IntegrityError('malformed vault data: an id');
  return bytes;
}

/** A line of a values shard, where nothing is `removed`. */
export function storedValueLine(raw: Bytes): StoredLine {
  const line = storedLine(raw);
  if (line.version === removedOrder) throw new IntegrityError('malformed vault data: a value line');
  return line;
}

/** What orders a stored line, from its first members; its content is not needed to keep it. */
export function storedLine(raw: Bytes): StoredLine {
  const start = Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.length, 160)).toString('latin1');
  const found = /^\{"kind":"(value|purged|removed)",.*?"secret":"([\w-]{22})",(?:"version":(\d+),)?/.exec(
    start,
  );
  const [, kind, secret, version] = found ?? [];
  if (secret === undefined || (kind === 'value') !== (version !== undefined)) {
    throw new IntegrityError('malformed vault data: a value line');
  }
  return {
    raw,
    secret: idBytes(secret),
    version: kind === 'removed' ? removedOrder : Number(version ?? 0),
  };
}
