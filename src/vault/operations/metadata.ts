/** What is said of a secret beside its value: set with a value, or by itself. */
import { UsageError } from '../../errors.ts';
import { utf8 } from '../../crypto/bytes.ts';
import type { CatalogEntry } from '../../format/catalog.ts';
import { hookIdProblem } from '../../format/hook.ts';
import { limits } from '../../format/limits.ts';
import type { SecretType } from '../../format/secret-type.ts';

/** Metadata to set; `undefined` leaves what is there. */
export interface Metadata {
  readonly type?: SecretType | undefined;
  readonly description?: string | undefined;
  /** Tags to set; an empty value removes one. */
  readonly tags?: ReadonlyMap<string, string> | undefined;
  readonly variable?: string | undefined;
  /** A moment, or `null` for none. */
  readonly expires?: Date | null | undefined;
  readonly intervalSeconds?: number | undefined;
  /** Id of a stored hook; empty for none. */
  readonly hook?: string | undefined;
}

/** @param entry as it is, or `null` for a new one @throws UsageError */
export function mergeEntry(
  entry: CatalogEntry | null,
  name: string,
  newId: () => string,
  time: string,
  metadata: Metadata,
): CatalogEntry {
  const { type, description, tags, variable, intervalSeconds, hook } = metadata;
  if (description !== undefined && utf8(description).length > limits.description) {
    throw new UsageError(`a description has at most ${limits.description} bytes`);
  }
  return {
    name,
    secret: entry?.secret ?? newId(),
    type: type ?? entry?.type ?? 'other',
    description: description ?? entry?.description ?? '',
    tags: mergeTags(entry?.tags ?? [], tags ?? new Map()),
    variable: checkVariable(variable ?? entry?.variable ?? ''),
    created: entry?.created ?? time,
    interval: intervalSeconds ?? entry?.interval ?? 0,
    hook: checkHook(hook ?? entry?.hook ?? ''),
    removed: '',
  };
}

function checkHook(id: string): string {
  const problem = id === '' ? null : hookIdProblem(id);
  if (problem !== null) throw new UsageError(`this cannot be the id of a hook: ${problem}`);
  return id;
}

function checkVariable(variable: string): string {
  if (!/^([A-Za-z_][A-Za-z0-9_]{0,127})?$/.test(variable)) {
    throw new UsageError('a variable is letters, digits and _, and does not begin with a digit');
  }
  return variable;
}

function mergeTags(present: CatalogEntry['tags'], wanted: ReadonlyMap<string, string>): [string, string][] {
  const all = new Map(present.map(([key, value]) => [key, value]));
  for (const [key, value] of wanted) {
    if (key === '' || utf8(key).length > limits.tagPart || utf8(value).length > limits.tagPart) {
      throw new UsageError(`a tag is KEY=VALUE, each at most ${limits.tagPart} bytes`);
    }
    if (value === '') all.delete(key);
    else all.set(key, value);
  }
  if (all.size > limits.tags) throw new UsageError(`a secret has at most ${limits.tags} tags`);
  return [...all].sort(([a], [b]) => Buffer.compare(utf8(a), utf8(b)));
}
