/** The numbers of this place's audit log, counted from where this machine stopped the last time. */
import { countRecords, noStatistics, type AuditStatistics } from '../audit/statistics.ts';
import { encodeHex, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Domain } from '../crypto/pae.ts';
import { openCountStore } from '../storage/count-store.ts';
import { openLogScan } from '../storage/log-scan.ts';
import type { Place } from './place.ts';

/** @throws AuditError if the log cannot be read; IntegrityError for links */
export async function auditStatistics(place: Place, domain: Domain): Promise<AuditStatistics> {
  const { fs, audit, stateFolder } = place;
  const scan = openLogScan(fs, audit.path);
  if (scan === null) return noStatistics;
  try {
    const key = encodeHex(await sha256(utf8(audit.path.toWellFormed()))).slice(0, 32);
    const store = openCountStore(fs, stateFolder, key);
    const { statistics, keep } = await countRecords(domain, scan, store.load());
    if (keep !== null) store.save(keep);
    if (statistics.unreadable > 0) {
      const lines = statistics.unreadable === 1 ? 'line is no record' : 'lines are no records';
      place.warn(`audit log: ${statistics.unreadable} ${lines} and not counted: \`vault verify\` says more`);
    }
    return statistics;
  } finally {
    scan.close();
  }
}
