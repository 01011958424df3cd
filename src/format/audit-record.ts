/** Records of the audit log. docs/format.md section 9; member order here is the order in the file. */
import { limits } from './limits.ts';
import {
  boolean,
  bytes,
  digest,
  integer,
  list,
  literal,
  longId,
  object,
  orNone,
  shortId,
  text,
  time,
  tuple,
  type Shaped,
} from './schema.ts';

const contextPart = text(limits.contextPart);

export const auditContext = object({
  user: contextPart,
  host: contextPart,
  address: contextPart,
  program: contextPart,
  session: contextPart,
});

export const signedRecord = object({
  log: longId,
  seq: integer(1),
  time,
  op: text(64, 1),
  ok: boolean,
  code: text(64),
  principal: shortId,
  environment: orNone(shortId),
  secrets: list(tuple(shortId, orNone(digest), integer()), 1_000_000),
  context: auditContext,
  source: text(64, 1),
  detail: text(limits.detail),
  header: integer(1),
  from: orNone(digest),
  to: orNone(digest),
  prev: orNone(digest),
  sig: bytes(64),
});

export const unsignedRecord = object({
  log: longId,
  seq: integer(1),
  time,
  op: literal('unlock'),
  ok: literal(false),
  count: integer(1),
  prev: orNone(digest),
});

export type AuditContext = Shaped<typeof auditContext>;
export type SignedRecord = Shaped<typeof signedRecord>;
export type UnsignedRecord = Shaped<typeof unsignedRecord>;
