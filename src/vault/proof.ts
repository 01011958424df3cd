/**
 * A new file held against the reader's own checks before anything of it is recorded or written: what this program would refuse, it
 * does not write. docs/format.md section 6, steps 1, 2 and 5, and the signer's own time.
 */
import { AccessDeniedError, IntegrityError } from '../errors.ts';
import { Authority } from '../access/authority.ts';
import type { Identity } from '../access/bundle.ts';
import { concatBytes, type Bytes } from '../crypto/bytes.ts';
import { VaultDocument, type ByteSource } from '../format/document.ts';
import { checkHead } from '../format/head-order.ts';
import { readPolicy } from '../lifecycle/policy.ts';
import type { BuiltFile } from './build.ts';
import { boundSlots } from '../access/bound-slots.ts';

/** Pieces read as the one file that they will be; nothing is joined that nobody asks for. */
function sourceOf(pieces: readonly Bytes[]): ByteSource {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return {
    size,
    read: (offset, length) => {
      const parts: Bytes[] = [];
      let start = 0;
      for (const piece of pieces) {
        const part = piece.subarray(Math.max(0, offset - start), Math.max(0, offset + length - start));
        if (part.length > 0) parts.push(part);
        start += piece.length;
      }
      return parts.length === 1 && parts[0] !== undefined ? parts[0] : concatBytes(...parts);
    },
  };
}

/**
 * @param snapshot the line with its LF, by whoever will sign
 * @param credentials whether credentials of anybody changed: all are held against their bundles then
 * @throws IntegrityError with nothing written
 */
export async function proveFile(file: BuiltFile, snapshot: Bytes, credentials: boolean): Promise<void> {
  try {
    const document = new VaultDocument(sourceOf([file.head, ...file.body, snapshot]));
    const authority = await Authority.of(document);
    readPolicy(authority.header.policy);
    if (!credentials) return;
    checkHead(document);
    for (const { id } of authority.principals)
      if (document.bundleOf(id) !== null) await boundSlots(document, authority, id);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'it does not hold together';
    const hint = 'nothing was written; please report how this came about';
    throw new IntegrityError(`this change would make a vault that nobody accepts: ${why}`, { cause, hint });
  }
}

/** @throws AccessDeniedError for who has expired by the time that the write would have */
export function checkOwnTime(authority: Authority, identity: Identity, time: string): void {
  const own = authority.principal(identity.principal);
  if (own === null || own.expires === '' || time <= own.expires) return;
  throw new AccessDeniedError(`the access of ${own.name} expired at ${own.expires}`);
}
