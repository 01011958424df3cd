/** The audit log proven from its first record to its last, against everything that names one of its records. */
import type { Anchor } from '../../audit/anchors.ts';
import { verifyChain, type ChainReport } from '../../audit/chain.ts';
import { makeCheckpoint, readCheckpoint } from '../../audit/checkpoint.ts';
import { AuditFault, type Proven } from '../../audit/fault.ts';
import { IntegrityError, SecretNotFoundError } from '../../errors.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import { policyValue, type Policy } from '../../lifecycle/policy.ts';
import { saysPruned } from '../../lifecycle/pruned-logs.ts';
import { openLogReader, type LogReader } from '../../storage/log-file.ts';
import { linesForward } from '../../storage/log-lines.ts';
import type { RememberedLog } from '../../storage/state-store.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import type { Vault } from '../vault.ts';

export interface LogProof {
  readonly log: string;
  readonly records: number;
  /** Numbers of the first and the last record that are here. */
  readonly first: number;
  readonly last: number;
  readonly proven: Proven | null;
  /** Records after that, which nobody has signed yet. */
  readonly unsealed: number;
  /** How many records were removed from the start, by an administrator and within the policy. */
  readonly pruned: number;
  readonly checkpoints: number;
}

export interface ProofOptions {
  /** What this machine remembers of the log. */
  readonly known: RememberedLog | null;
  /** Checkpoints, one line each without LF. */
  readonly checkpoints?: readonly Bytes[];
  /** Archives of what was pruned, oldest first. */
  readonly archives?: readonly string[];
  readonly progress?: (records: number) => void;
}

/** @returns `null` where there is no log yet @throws AuditFault and other IntegrityErrors; what was not proven is named */
export async function proveLog(scope: Scope, place: Place, options: ProofOptions): Promise<LogProof | null> {
  const { document, authority } = scope;
  const { known, checkpoints = [], archives = [], progress } = options;
  const stated = await Promise.all(checkpoints.map(async (raw) => readCheckpoint(document, authority, raw)));
  const log = openLogReader(place.fs, place.audit.path);
  const opened: LogReader[] = log === null ? [] : [log];
  try {
    if (log === null || log.size === 0) {
      const [by] = [...stated.map((one) => one.by), ...(known === null ? [] : ['this machine'])];
      if (by === undefined) return null;
      throw new IntegrityError(`the audit log ${place.audit.path} is missing: ${by} names a record of it`);
    }
    const before = archives.map((path) => archive(place, path));
    opened.push(...before);
    const anchors: Anchor[] = [
      ...document.snapshot.value.logs.map(([id, seq, digest]) => ({
        by: 'the vault',
        log: id,
        seq,
        digest,
        everyPlace: true,
      })),
      ...(known === null
        ? []
        : [{ by: 'this machine', log: known.id, seq: known.seq, digest: known.digest }]),
      ...stated,
    ];
    const report = await verifyChain(
      authority,
      [...before, log].map((file) => linesForward(file)),
      { anchors, ...(progress === undefined ? {} : { progress }) },
    );
    checkPruned(scope.policy, report, archives.length);
    return proofOf(report, stated.length);
  } finally {
    for (const file of opened) file.close();
  }
}

/**
 * A summary before which there is nothing counts only if the header says so, too: no former administrator can make it say so, nobody at all
 * without a key, and no older vault does.
 */
function checkPruned(policy: Policy, { log, pruned }: ChainReport, archives: number): void {
  if (pruned === null || saysPruned(policyValue(policy, 'audit.pruned'), { log, ...pruned })) return;
  const message = `stands for records up to ${pruned.last}, but the vault does not say that they were removed`;
  const fault = { archive: archives === 0 ? null : 1, line: 1, sequence: pruned.last, message };
  throw new AuditFault({ kind: 'removed', ...fault }, null);
}

function proofOf(report: ChainReport, checkpoints: number): LogProof {
  const { log, records, firstSeq, lastSeq, proven, unsealed, pruned } = report;
  return {
    log,
    records,
    first: firstSeq,
    last: lastSeq,
    proven,
    unsealed,
    pruned: pruned?.last ?? 0,
    checkpoints,
  };
}

function archive(place: Place, path: string): LogReader {
  const opened = openLogReader(place.fs, path);
  if (opened === null)
    throw new SecretNotFoundError(`there is no archive ${path}`, { hint: 'check the path' });
  return opened;
}

/** A signed word on where vault and log stand: one line with its LF. The record that says so is the one that it names. */
export async function checkpoint(vault: Vault): Promise<string> {
  const { log } = await vault.hold('audit-checkpoint', async () => Promise.resolve());
  const { document, authority, identity, place } = vault;
  const line = await makeCheckpoint(document, authority, identity, log, place.now().toISOString());
  return `${Buffer.from(line.raw).toString('utf8')}\n`;
}
