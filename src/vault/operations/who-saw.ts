/**
 * Who received a value, by the audit log of this place: whom it was handed to, and who brought it. What was copied to another name or
 * environment goes on under that one.
 */
import { isSigned, parseRecord } from '../../audit/record.ts';
import { IntegrityError } from '../../errors.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import type { Line } from '../../format/json-line.ts';
import type { AuditContext, SignedRecord } from '../../format/audit-record.ts';
import { openLogReader } from '../../storage/log-file.ts';
import { linesBackward, type LogLine } from '../../storage/log-lines.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { hashesOf } from './audit-names.ts';
import { checkName } from './secret.ts';

/** Operations that hand a value out. */
const received: ReadonlySet<string> = new Set(['get', 'exec', 'inject', 'export', 'sync']);
/** Operations whose principal brought the value, and so may know it. */
const brought: ReadonlySet<string> = new Set(['put', 'edit', 'rotate', 'import']);
const signed = Buffer.from(',"sig":"');
const torn = Buffer.from('"op":"torn"');

export interface Sighting {
  readonly principal: string;
  readonly how: 'received' | 'brought';
  readonly environment: string;
  readonly context: AuditContext;
  readonly operations: readonly string[];
  readonly versions: readonly number[];
  readonly times: number;
  readonly first: string;
  readonly last: string;
}

export interface WhoSawOptions {
  /** Environment by name, or `null` for all that the principal can list. */
  readonly environment: string | null;
  readonly name: string;
  readonly version: number | null;
}

/** What is being gathered of one principal at one place in one program or job. */
interface Gathered {
  readonly record: SignedRecord;
  readonly environment: string;
  readonly how: Sighting['how'];
  readonly operations: Set<string>;
  readonly versions: Set<number>;
  times: number;
  first: string;
}

/** Sightings, the latest first. */
export async function whoSaw(scope: Scope, place: Place, options: WhoSawOptions): Promise<Sighting[]> {
  checkName(options.name);
  const wanted = await Names.of(scope, options);
  const gathered = new Map<string, Gathered>();
  const log = openLogReader(place.fs, place.audit.path);
  if (log === null) return [];
  try {
    const { head } = scope.document.snapshot.value;
    for (const { raw, newer, older } of signedBackward(linesBackward(log))) {
      const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
      if (!wanted.needles.some((needle) => bytes.includes(needle))) continue;
      const { value } = parseSigned(raw);
      if (!value.ok) continue;
      const made = madeVault(value, newer, older, head);
      for (const [environment, hash, version] of value.secrets)
        if (wanted.has(environment, hash) && (options.version ?? version) === version)
          gather(gathered, value, made, environment, version);
      if (made) wanted.before(value);
    }
  } finally {
    log.close();
  }
  return [...gathered.values()].map((one) => sightingOf(scope, one));
}

/** A record and its neighbours. */
interface Between {
  readonly raw: Bytes;
  readonly newer: Bytes | null;
  readonly older: Bytes | null;
}

/** Signed records that say something of the vault, the last one first. */
function* signedBackward(lines: Iterable<LogLine>): Generator<Between, undefined> {
  let newer: Bytes | null = null;
  let here: Bytes | null = null;
  for (const { raw: older } of lines) {
    const bytes = Buffer.from(older.buffer, older.byteOffset, older.length);
    if (!bytes.includes(signed) || bytes.includes(torn)) continue;
    if (here !== null) yield { raw: here, newer, older };
    [newer, here] = [here, older];
  }
  if (here !== null) yield { raw: here, newer, older: null };
  return undefined;
}

function parseSigned(raw: Bytes): Line<SignedRecord> {
  const line = parseRecord(raw);
  if (!isSigned(line)) throw new IntegrityError('audit log: a record is not what it looks like');
  return line;
}

/**
 * Whether what a record says that it would make of the vault was made of it: from what the one before had left, and then the next one
 * found it so, or found that it was replaced since. A trial makes nothing, nor does a write that was killed.
 */
function madeVault(record: SignedRecord, newer: Bytes | null, older: Bytes | null, head: string): boolean {
  const { from, to } = record;
  if (to === '' || to === from) return false;
  const before = older === null ? null : parseSigned(older).value;
  const left = before === null || before.op === 'prune' ? from : before.to === '' ? before.from : before.to;
  if (left !== from) return false;
  if (newer === null) return to === head;
  const { value } = parseSigned(newer);
  return value.op === 'replaced' || value.from === to;
}

function gather(
  gathered: Map<string, Gathered>,
  record: SignedRecord,
  made: boolean,
  environment: string,
  version: number,
): void {
  const { op, principal, context, time } = record;
  const how = received.has(op) ? 'received' : brought.has(op) && made ? 'brought' : null;
  // An operation that found no version has handed out none.
  if (how === null || version === 0) return;
  const key = JSON.stringify([how, environment, principal, context]);
  const known = gathered.get(key);
  if (known === undefined) {
    const sets = { operations: new Set([op]), versions: new Set([version]) };
    gathered.set(key, { record, environment, how, ...sets, times: 1, first: time });
    return;
  }
  known.operations.add(op);
  known.versions.add(version);
  known.times += 1;
  known.first = time;
}

function sightingOf({ authority }: Scope, one: Gathered): Sighting {
  const { record, environment, how, operations, versions, times, first } = one;
  return {
    principal: authority.nameOf(record.principal),
    how,
    environment: authority.header.environments.find(({ id }) => id === environment)?.name ?? environment,
    context: record.context,
    operations: [...operations].sort(),
    versions: [...versions].sort((a, b) => a - b),
    times,
    first,
    last: record.time,
  };
}

/**
 * Hashes that the secret goes by in each environment, while the log is read from its end: before a rename it had another name, and before
 * it was made, the name was another secret's.
 */
class Names {
  readonly #byEnvironment: Map<string, ReadonlySet<string>>;
  needles: readonly Buffer[] = [];

  private constructor(byEnvironment: Map<string, ReadonlySet<string>>) {
    this.#byEnvironment = byEnvironment;
    this.#refresh();
  }

  static async of(scope: Scope, { environment, name }: WhoSawOptions): Promise<Names> {
    const entries = environment === null ? scope.accessible() : [scope.entry(environment)];
    const all = new Map<string, ReadonlySet<string>>();
    for (const entry of entries)
      all.set(entry.id, new Set(await hashesOf(scope, await scope.readerOf(entry), name)));
    return new Names(all);
  }

  has(environment: string, hash: string): boolean {
    return this.#byEnvironment.get(environment)?.has(hash) === true;
  }

  /** Go on to what is older than a write. */
  before({ op, secrets }: SignedRecord): void {
    if (op === 'mv') this.#beforeRename(secrets);
    // The first version makes the secret; a read that names it changes nothing.
    else
      for (const [id, hash, version] of secrets) if (version === 1 && this.has(id, hash)) this.#set(id, []);
  }

  /** A rename names the old name first, as it was hashed with each key of the environment until then, and the new one last. */
  #beforeRename(secrets: SignedRecord['secrets']): void {
    const [id, hash] = secrets.at(-1) ?? ['', ''];
    const old = secrets.slice(0, -1).map(([, one]) => one);
    if (this.has(id, hash)) this.#set(id, old);
    else if (old.some((one) => this.has(id, one))) this.#set(id, []);
  }

  #set(environment: string, hashes: readonly string[]): void {
    this.#byEnvironment.set(environment, new Set(hashes));
    this.#refresh();
  }

  #refresh(): void {
    this.needles = [...this.#byEnvironment.values()].flatMap((hashes) =>
      [...hashes].map((hash) => Buffer.from(hash)),
    );
  }
}
