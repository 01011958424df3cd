/** Removing the start of the audit log, within the policy, with a signed summary in its place. docs/format.md section 9, "Pruning". */
import { createHash } from 'node:crypto';
import { AccessDeniedError, ConcurrencyError, UsageError } from '../../errors.ts';
import { pruneDetail, type Pruned } from '../../audit/prune.ts';
import { makeRecord, parseRecord, recordDigest } from '../../audit/record.ts';
import { concatBytes, type Bytes } from '../../crypto/bytes.ts';
import { policyValue } from '../../lifecycle/policy.ts';
import { withPrunedLog } from '../../lifecycle/pruned-logs.ts';

import { openLogReader, type LogReader } from '../../storage/log-file.ts';
import { linesForward } from '../../storage/log-lines.ts';
import { createFile, isTaken, piecesOf, replaceFile } from '../../storage/new-file.ts';
import type { RememberedLog } from '../../storage/state-store.ts';
import { temporaryPath } from '../../storage/vault-file.ts';
import type { Place } from '../place.ts';
import type { WriteScope } from '../scope.ts';
import { proveLog } from './audit-proof.ts';

export interface PruneOptions {
  /** Records from then on stay; `null` for as long as the policy wants. */
  readonly before: Date | null;
  /** Path for what is removed. */
  readonly archive: string | null;
  readonly known: RememberedLog | null;
}

export interface PruneReport {
  readonly removed: number;
  readonly first: number | null;
  readonly last: number | null;
  readonly archive: string | null;
}

const dayMs = 86_400_000;
const lineFeed = Uint8Array.of(0x0a);

/**
 * @throws AccessDeniedError for who is no administrator, or wants more than the policy allows; IntegrityError unless the whole log holds;
 *   UsageError and ConcurrencyError ALREADY_EXISTS for a path that no archive can have
 */
export async function pruneLog(scope: WriteScope, place: Place, options: PruneOptions): Promise<PruneReport> {
  scope.checkAdministrator();
  const before = cutoff(scope, options.before);
  if (options.archive !== null) checkArchive(place, options.archive);
  await proveLog(scope, place, { known: options.known });
  const log = openLogReader(place.fs, place.audit.path);
  if (log === null) throw new UsageError('there is no audit log here yet');
  try {
    const end = endOfOlder(log, before);
    const start = await startOf(scope, log, end);
    if (start === null) return { removed: 0, first: null, last: null, archive: null };
    const detail = pruneDetail(start);
    scope.trace.detail = detail;
    scope.trace.isExact = true;
    const pruned = withPrunedLog(policyValue(scope.policy, 'audit.pruned'), start);
    scope.administration().setPolicy('audit.pruned', pruned);
    const summary = await summaryLine(scope, place, start, detail);
    scope.afterwards.push(() => {
      replaceStart(place, end, summary, options.archive);
    });
    return { removed: start.count, first: start.first, last: start.last, archive: options.archive };
  } finally {
    log.close();
  }
}

/** Where something stands already, or will be removed by whoever writes next, no archive goes. */
function checkArchive({ fs, path, audit }: Place, archive: string): void {
  if ([path, audit.path].map(temporaryPath).includes(archive))
    throw new UsageError(`${archive} is a temporary file of the vault: choose another name for the archive`);
  if (isTaken(fs, archive)) throw new ConcurrencyError(`${archive} is there already`, {}, 'ALREADY_EXISTS');
}

/** Records before this time may go. */
function cutoff({ policy, now }: WriteScope, wanted: Date | null): string {
  const days = Number(policyValue(policy, 'audit.days'));
  const allowed = new Date(now.getTime() - days * dayMs);
  const hint = 'an administrator can change that: `vault policy set audit.days DAYS`';
  if (days === 0) throw new AccessDeniedError('the policy keeps audit records for ever', { hint });
  if (wanted !== null && wanted > allowed)
    throw new AccessDeniedError(`the policy keeps audit records for ${days} days`, { hint });
  return (wanted ?? allowed).toISOString();
}

/**
 * Where the records begin that stay: after the longest start of the log whose records are all older. A join stays together with the
 * record in which whoever joined says that it did not happen: nobody could check that one without.
 * @returns offset of the first line that stays
 */
function endOfOlder(log: LogReader, before: string): number {
  let end = 0;
  let join: { readonly principal: string; readonly at: number } | null = null;
  let isOlder = true;
  for (const { raw, start } of linesForward(log)) {
    const { value } = parseRecord(raw);
    const principal = 'sig' in value ? value.principal : null;
    isOlder &&= value.time < before || (start === 0 && value.op === 'prune');
    if (isOlder) {
      end = start + raw.length + 1;
      if (principal !== null) join = value.op === 'join' ? { principal, at: start } : null;
    } else if (join === null) break;
    else if (principal !== null)
      return value.op === 'aborted' && principal === join.principal ? join.at : end;
  }
  return end;
}

interface Start extends Pruned {
  readonly log: string;
}

/** What is in the log before an offset; `null` for no record but a summary. */
async function startOf({ authority }: WriteScope, log: LogReader, end: number): Promise<Start | null> {
  const hash = createHash('sha256');
  let first: number | null = null;
  let last: Omit<Start, 'sha256'> | null = null;
  for (const { raw, start } of linesForward(log)) {
    if (start >= end) break;
    hash.update(raw).update(lineFeed);
    const { value } = parseRecord(raw);
    if (start === 0 && value.op === 'prune') continue;
    const digest = await recordDigest(authority.domain, raw);
    first ??= value.seq;
    last = { log: value.log, first, last: value.seq, count: value.seq - first + 1, digest };
  }
  return last === null ? null : { ...last, sha256: hash.digest('base64url') };
}

async function summaryLine(
  { authority, identity, document }: WriteScope,
  place: Place,
  { log, last }: Start,
  detail: string,
): Promise<Bytes> {
  const line = await makeRecord(authority.domain, identity.signing, {
    log,
    seq: last,
    time: place.now().toISOString(),
    op: 'prune',
    ok: true,
    code: '',
    principal: identity.principal,
    environment: '',
    secrets: [],
    context: place.context,
    source: 'file',
    detail,
    header: document.header.value.n,
    from: '',
    to: '',
    prev: '',
  });
  return concatBytes(line.raw, lineFeed);
}

/** Once it is on record: the archive first, then the log without its start. */
function replaceStart(place: Place, end: number, summary: Bytes, archive: string | null): void {
  const log = openLogReader(place.fs, place.audit.path);
  if (log === null) return;
  try {
    if (archive !== null) createFile(place.fs, archive, piecesOf(log, 0, end));
    replaceFile(place.fs, place.audit.path, kept(log, end, summary));
  } finally {
    log.close();
  }
}

function* kept(log: LogReader, end: number, summary: Bytes): Generator<Bytes> {
  yield summary;
  yield* piecesOf(log, end, log.size);
}
