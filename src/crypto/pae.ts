/**
 * Pre-authentication encoding (PASETO, "PAE") and the domain that binds everything to one vault.
 * docs/format.md section 1. The encoding is injective: distinct lists of pieces give distinct bytes.
 */
import { utf8, type Bytes } from './bytes.ts';

/** A string is encoded as UTF-8, an integer as decimal ASCII, bytes as they are. */
export type Piece = string | number | Uint8Array;

function pieceBytes(piece: Piece): Uint8Array {
  if (typeof piece === 'string') return utf8(piece);
  if (typeof piece === 'number') return utf8(String(piece));
  return piece;
}

const countLength = 8;

function setLe64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** PAE of a list of pieces. */
export function encodePae(pieces: readonly Piece[]): Bytes {
  const parts = pieces.map(pieceBytes);
  let length = countLength;
  for (const part of parts) length += countLength + part.length;
  const all = new Uint8Array(length);
  const view = new DataView(all.buffer);
  setLe64(view, 0, parts.length);
  let at = countLength;
  for (const part of parts) {
    setLe64(view, at, part.length);
    all.set(part, at + countLength);
    at += countLength + part.length;
  }
  return all;
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
