/** Checkpoints: made, and held against a vault. docs/format.md section 9, "Checkpoint". */
import { IntegrityError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import { signatureHolds } from '../access/digest.ts';
import type { Identity } from '../access/bundle.ts';
import { signLine } from '../access/signing.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { checkpointLine, type Checkpoint } from '../format/checkpoint.ts';
import type { VaultDocument } from '../format/document.ts';
import { parseLine, type Line } from '../format/json-line.ts';
import type { Anchor } from './anchors.ts';

/** Where the log stands, by the record that says that a checkpoint was made. */
export interface LogPosition {
  readonly id: string;
  readonly seq: number;
  readonly digest: string;
}

export async function makeCheckpoint(
  document: VaultDocument,
  authority: Authority,
  identity: Identity,
  log: LogPosition,
  time: string,
): Promise<Line<Checkpoint>> {
  const { n: generation, head } = document.snapshot.value;
  return signLine<Checkpoint>(
    authority.domain,
    identity.signing,
    {
      kind: 'checkpoint',
      vault: document.vaultId,
      generation,
      head,
      log: log.id,
      seq: log.seq,
      digest: log.digest,
      time,
      by: identity.principal,
      header: document.header.value.n,
    },
    checkpointLine,
    'checkpoint',
  );
}

/**
 * What a checkpoint says of the log, after it was held against the vault itself.
 * @param raw its line without LF
 * @throws IntegrityError if it is none, or of another vault, or by nobody; ROLLBACK if the vault is older, or another history
 */
export async function readCheckpoint(
  document: VaultDocument,
  authority: Authority,
  raw: Bytes,
): Promise<Anchor> {
  const line = parseLine(raw, checkpointLine, 'checkpoint');
  const { vault, generation, head, log, seq, digest, time, by, header } = line.value;
  if (vault !== document.vaultId) throw new IntegrityError('the checkpoint is of another vault');
  const publicKey = authority.keyAt(by, header);
  if (publicKey === null || !(await signatureHolds(authority.domain, line, publicKey)))
    throw new IntegrityError('the checkpoint is not signed by anybody that the vault knows');
  const { n, head: present } = document.snapshot.value;
  const what = `the checkpoint of ${time}`;
  if (n < generation)
    throw new IntegrityError(`rolled back: generation ${n}, ${what} has ${generation}`, {}, 'ROLLBACK');
  if (n === generation && head !== present)
    throw new IntegrityError(`two histories: generation ${n} is not the one of ${what}`, {}, 'ROLLBACK');
  return { by: what, log, seq, digest };
}
