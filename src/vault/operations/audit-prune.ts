/** Removing the start of the audit log, within the policy, with a signed summary in its place. docs/format.md section 9, "Pruning". */
import { createHash } from 'node:crypto';
import { AccessDeniedError, UsageError } from '../../errors.ts';
import { pruneDetail, type Pruned } from '../../audit/prune.ts';
import { makeRecord, parseRecord, recordDigest } from '../../audit/record.ts';
import { concatBytes, type Bytes } from '../../crypto/bytes.ts';
import { policyValue } from '../../lifecycle/policy.ts';
import { openLogReader, type LogReader } from '../../storage/log-file.ts';
import { linesForward } from '../../storage/log-lines.ts';
import { createFile, piecesOf, replaceFile } from '../../storage/new-file.ts';
import type { RememberedLog } from '../../storage/state-store.ts';
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

/** @throws AccessDeniedError for who is no administrator, or wants more than the policy allows; IntegrityError unless the whole log holds */
export async function pruneLog(scope: WriteScope, place: Place, options: PruneOptions): Promise<PruneReport> {
  scope.checkAdministrator();
  const before = cutoff(scope, options.before);
  await proveLog(scope, place, { known: options.known });
  const log = openLogReader(place.fs, place.audit.path);
  if (log === null) throw new UsageError('there is no audit log here yet');
  try {
    const found = await findStart(scope, log, before);
    if (found === null) return { removed: 0, first: null, last: null, archive: null };
    const { pruned, end, id } = found;
    const detail = pruneDetail(pruned);
    scope.trace.detail = detail;
    scope.anchored = true;
    const summary = await summaryLine(scope, place, id, pruned, detail);
    scope.afterwards.push(() => {
      replaceStart(place, end, summary, options.archive);
    });
    return { removed: pruned.count, first: pruned.first, last: pruned.last, archive: options.archive };
  } finally {
    log.close();
  }
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

interface Start {
  readonly id: string;
  readonly pruned: Pruned;
  /** Offset of the first line that stays. */
  readonly end: number;
}

/** The longest start of the log whose records are all older. */
async function findStart({ authority }: WriteScope, log: LogReader, before: string): Promise<Start | null> {
  const hash = createHash('sha256');
  let [first, last, count, end, digest, id] = [0, 0, 0, 0, '', ''];
  for (const { raw, start } of linesForward(log)) {
    const { value } = parseRecord(raw);
    const isSummary = start === 0 && value.op === 'prune';
    if (value.time >= before && !isSummary) break;
    hash.update(raw).update(lineFeed);
    end = start + raw.length + 1;
    if (isSummary) continue;
    if (count === 0) [first, id] = [value.seq, value.log];
    count += 1;
    last = value.seq;
    digest = await recordDigest(authority.domain, raw);
  }
  if (count === 0) return null;
  return { id, end, pruned: { first, last, count, digest, sha256: hash.digest('base64url') } };
}

async function summaryLine(
  { authority, identity, document }: WriteScope,
  place: Place,
  log: string,
  pruned: Pruned,
  detail: string,
): Promise<Bytes> {
  const line = await makeRecord(authority.domain, identity.signing, {
    log,
    seq: pruned.last,
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
