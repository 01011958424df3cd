/**
 * Pre-authentication encoding (PASETO, "PAE") and the domain that binds everything to one vault.
 * docs/format.md section 1. The encoding is injective: distinct lists of pieces give distinct bytes.
 */
import { concatBytes, utf8, type Bytes } from './bytes.ts';

/** A string is encoded as UTF-8, an integer as decimal ASCII, bytes as they are. */
export type Piece = string | number | Uint8Array;

function le64(value: number): Bytes {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, value % 2 ** 32, true);
  view.setUint32(4, Math.floor(value / 2 ** 32), true);
  return bytes;
}

function pieceBytes(piece: Piece): Uint8Array {
  if (typeof piece === 'string') return utf8(piece);
  if (typeof piece === 'number') return utf8(String(piece));
  return piece;
}

/** PAE of a list of pieces. */
export function encodePae(pieces: readonly Piece[]): Bytes {
  const parts: Uint8Array[] = [le64(pieces.length)];
  for (const piece of pieces) {
    const bytes = pieceBytes(piece);
    parts.push(le64(bytes.length), bytes);
  }
  return concatBytes(...parts);
}

/** P(label, …) of docs/format.md, for one vault. */
export class Domain {
  readonly vaultId: string;

  /** @param vaultId base64url text of the 16-byte vault id */
  constructor(vaultId: string) {
    this.vaultId = vaultId;
  }

  encode(label: string, ...pieces: readonly Piece[]): Bytes {
    return encodePae(['vault/1', label, this.vaultId, ...pieces]);
  }
}
