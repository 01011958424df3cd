/** Listing: names, and metadata where it is asked for. Never values. */
import { IntegrityError } from '../../errors.ts';
import type { CatalogEntry } from '../../format/catalog.ts';
import { dueAt, dueTime } from '../../lifecycle/due.ts';
import { matchesPattern } from '../../lifecycle/glob.ts';
import { dueRulesOf, type DueRulesOf } from '../due-rules.ts';
import type { EnvironmentReader } from '../environment-reader.ts';
import type { Scope } from '../scope.ts';
import { infoOf, type SecretInfo } from './secret.ts';

export interface ListOptions {
  readonly environment: string | null;
  readonly allEnvironments: boolean;
  readonly pattern: string | null;
  readonly removed: boolean;
  readonly type: CatalogEntry['type'] | null;
  readonly tags: ReadonlyMap<string, string>;
  /** Only those that expire before this moment. */
  readonly expiringBefore: Date | null;
  readonly expired: boolean;
  /** Only those that are to be rotated: past their interval, or certificates near their end. */
  readonly due: boolean;
}

export interface ListedName {
  readonly name: string;
  readonly environment: string;
}

export interface ListedSecret extends SecretInfo {
  /** When it is to be rotated, or `null`. */
  readonly due: string | null;
}

/** Told of a secret that does not hold together, which is then left out. */
export type OnSpoiled = (secret: ListedName, error: IntegrityError) => void;

const refuse: OnSpoiled = (_, error) => {
  throw error;
};

async function selected(
  scope: Scope,
  options: ListOptions,
): Promise<{ reader: EnvironmentReader; entry: CatalogEntry }[]> {
  const entries = options.allEnvironments ? scope.accessible() : [scope.entry(options.environment)];
  const all: { reader: EnvironmentReader; entry: CatalogEntry }[] = [];
  for (const environment of entries) {
    const reader = await scope.readerOf(environment);
    if (!options.allEnvironments) scope.trace.environment = reader.id;
    for (const entry of await reader.entries()) {
      if ((entry.removed !== '') !== options.removed) continue;
      if (options.pattern !== null && !matchesPattern(options.pattern, entry.name)) continue;
      if (options.type !== null && entry.type !== options.type) continue;
      const own = new Map(entry.tags.map(([key, value]) => [key, value]));
      if ([...options.tags].some(([key, value]) => own.get(key) !== value)) continue;
      all.push({ reader, entry });
    }
  }
  return all;
}

/** Names only: opens the catalog and nothing else, unless a filter needs more. */
export async function listNames(
  scope: Scope,
  options: ListOptions,
  onSpoiled = refuse,
): Promise<ListedName[]> {
  if (options.expiringBefore !== null || options.expired || options.due)
    return listInfo(scope, options, onSpoiled);
  const all = await selected(scope, options);
  return all.map(({ reader, entry }) => ({ name: entry.name, environment: reader.part.entry.name }));
}

/** @throws IntegrityError for a secret that does not hold together, unless `onSpoiled` takes it */
export async function listInfo(
  scope: Scope,
  options: ListOptions,
  onSpoiled = refuse,
): Promise<ListedSecret[]> {
  const all = await selected(scope, options);
  const rules = new Map<EnvironmentReader, DueRulesOf>();
  for (const reader of new Set(all.map((one) => one.reader)))
    rules.set(reader, await dueRulesOf(scope, reader));
  const found = await Promise.all(
    all.map(async ({ reader, entry }) => {
      try {
        const info = await infoOf({ reader, entry, history: await reader.history(entry.secret) });
        const due = rules.get(reader)?.(entry);
        return { ...info, due: due === undefined ? null : dueTime(dueAt(info, due)) };
      } catch (error) {
        if (!(error instanceof IntegrityError)) throw error;
        onSpoiled({ name: entry.name, environment: reader.part.entry.name }, error);
        return null;
      }
    }),
  );
  const infos = found.filter((info) => info !== null);
  const now = scope.now.toISOString();
  const before = options.expiringBefore?.toISOString() ?? null;
  return infos.filter((info) => {
    if (options.expired && (info.expires === null || info.expires > now)) return false;
    if (before !== null && (info.expires === null || info.expires > before)) return false;
    return !options.due || (info.due !== null && info.due <= now);
  });
}
