/** A log that can be pruned at any place: every record has a minute of its own, more than a year ago. */
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { proveLog, type LogProof, type ProofOptions } from '../../src/vault/operations/audit-proof.ts';
import { pruneLog, type PruneOptions, type PruneReport } from '../../src/vault/operations/audit-prune.ts';
import type { Place } from '../../src/vault/place.ts';
import { Scope } from '../../src/vault/scope.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { records } from './audit-records.ts';
import { eventfulLog, type EventfulLog } from './eventful-log.ts';
import { open, type SampleVault } from './sample-vault.ts';
import { temporaryFolder } from './temporary-folder.ts';

const minuteMs = 60_000;
export const dayMs = 86_400_000;

export interface OldLog extends EventfulLog {
  /** Move the clock; every look at it is a minute later. */
  readonly setClock: (time: Date) => void;
  /** Put vault, log and this machine's memory back as they were. */
  readonly reset: () => void;
}

export async function oldLog(): Promise<OldLog> {
  let clock = Date.now() - 500 * dayMs;
  const now = (): Date => new Date((clock += minuteMs));
  const log = await eventfulLog({ now });
  const { place } = log.team;
  const kept = temporaryFolder();
  const files = [place.path, place.audit.path, place.stateFolder ?? ''];
  for (const file of files) cpSync(file, path.join(kept, path.basename(file)), { recursive: true });
  clock = Date.now();
  return {
    ...log,
    setClock: (time) => {
      clock = time.getTime();
    },
    reset: () => {
      clock = Date.now();
      for (const file of files) {
        rmSync(file, { recursive: true, force: true });
        cpSync(path.join(kept, path.basename(file)), file, { recursive: true });
      }
    },
  };
}

/** The time at which only the first `count` records are older. */
export function after(of: Pick<Place, 'audit'>, count: number): Date {
  const first = records(of)[0]?.op === 'prune' ? 1 : 0;
  const time = records(of)[count + first]?.time;
  if (time === undefined) throw new Error('there are not so many records');
  return new Date(time);
}

export async function prune(vault: Vault, options: Partial<PruneOptions> = {}): Promise<PruneReport> {
  const known = vault.rememberedLog;
  const all = { before: null, archive: null, known, ...options };
  return vault.write('audit-prune', async (scope) => pruneLog(scope, vault.place, all));
}

/** Prove the log as an open vault sees it, without recording anything. */
async function prove(vault: Vault, options: Partial<ProofOptions> = {}): Promise<LogProof> {
  const { document, authority, identity, place, rememberedLog } = vault;
  const scope = new Scope(document, authority, identity, place.now());
  const proof = await proveLog(scope, place, { known: rememberedLog, ...options });
  if (proof === null) throw new Error('there is no log');
  return proof;
}

/** Prove the log as the owner who has just come. */
export async function proved(sample: SampleVault, options: Partial<ProofOptions> = {}): Promise<LogProof> {
  const vault = await open(sample);
  try {
    return await prove(vault, options);
  } finally {
    vault.close();
  }
}

export function contents(file: string): Buffer | null {
  return existsSync(file) ? readFileSync(file) : null;
}
