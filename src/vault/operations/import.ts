/** Bringing many secrets in as one write. */
import type { ParsedItem } from '../../lifecycle/import-formats.ts';
import type { WriteScope } from '../scope.ts';
import { currentVersion } from '../secret-history.ts';
import { equalBytes } from '../../crypto/bytes.ts';
import { putSecret } from './put.ts';
import { checkName } from './secret.ts';

export interface ImportReport {
  readonly environment: string;
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
}

/** Store every item; what is there with the same value stays as it is. With `dryRun` nothing is stored. */
export async function importSecrets(
  scope: WriteScope,
  environment: string | null,
  items: readonly ParsedItem[],
  dryRun: boolean,
): Promise<ImportReport> {
  const draft = await scope.draft(environment);
  const { reader } = draft;
  scope.trace.environment = reader.id;
  const report = { added: [] as string[], changed: [] as string[], unchanged: [] as string[] };
  for (const item of items) {
    checkName(item.name);
    const entry = await draft.find(item.name);
    const history = entry?.removed === '' ? await draft.history(entry.secret) : null;
    const current = history === null ? null : currentVersion(history);
    if (current !== null) {
      const old = await reader.open(current);
      const same = equalBytes(old.bytes, item.value);
      old.wipe();
      if (same) {
        report.unchanged.push(item.name);
        continue;
      }
    }
    (current === null ? report.added : report.changed).push(item.name);
    if (dryRun) continue;
    const metadata = item.variable === '' ? {} : { variable: item.variable };
    await putSecret(scope, {
      environment,
      name: item.name,
      value: item.value,
      operation: 'import',
      metadata,
    });
  }
  if (dryRun) scope.discard();
  return { environment: reader.part.entry.name, ...report };
}
