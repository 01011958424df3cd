/** What stands sealed in blocks, notes and carries. docs/format.md sections 3 and 5. */
import {
  bytes,
  integer,
  list,
  longId,
  object,
  oneOf,
  orNone,
  text,
  time,
  tuple,
  type Shape,
  type Shaped,
} from './schema.ts';
import { IntegrityError } from '../errors.ts';
import { limits } from './limits.ts';
import { nameProblem } from './name.ts';
import { secretTypes } from './secret-type.ts';

const noteOperations = ['put', 'edit', 'rotate', 'rollback', 'import', 'copy'] as const;

const variable: Shape<string> = (value, path) => {
  const checked = text(128)(value, path);
  if (!/^([A-Za-z_][A-Za-z0-9_]*)?$/.test(checked))
    throw new IntegrityError(`malformed vault data at ${path}: expected a variable`);
  return checked;
};

const name: Shape<string> = (value, path) => {
  const checked = text(limits.name, 1)(value, path);
  if (nameProblem(checked) !== null)
    throw new IntegrityError(`malformed vault data at ${path}: expected a name`);
  return checked;
};

export const catalogEntry = object({
  name,
  secret: longId,
  type: oneOf(...secretTypes),
  description: text(limits.description),
  tags: list(tuple(text(limits.tagPart, 1), text(limits.tagPart)), limits.tags),
  variable,
  created: time,
  interval: integer(),
  hook: text(limits.label),
  removed: orNone(time),
});

export const block = object({ entries: list(catalogEntry, 1_000_000) });

export const note = object({
  operation: oneOf(...noteOperations),
  rotations: integer(),
  expires: orNone(time),
  graceUntil: orNone(time),
});

/** `sealed` of an environment in the header. */
export const carry = object({
  auditKeys: list(tuple(integer(1), bytes(32)), 65_536),
  policy: list(tuple(text(limits.label, 1), text(limits.policyValue)), limits.policyKeys),
});

export type CatalogEntry = Shaped<typeof catalogEntry>;
export type Note = Shaped<typeof note>;
export type Carry = Shaped<typeof carry>;
