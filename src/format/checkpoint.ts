/** A signed word on where a vault and its log stood, to be kept elsewhere. docs/format.md section 9, "Checkpoint". */
import { bytes, digest, integer, literal, longId, object, shortId, time, type Shaped } from './schema.ts';

export const checkpointLine = object({
  kind: literal('checkpoint'),
  vault: longId,
  generation: integer(1),
  head: digest,
  log: longId,
  seq: integer(1),
  digest,
  time,
  by: shortId,
  header: integer(1),
  sig: bytes(64),
});

export type Checkpoint = Shaped<typeof checkpointLine>;
