/** What became of each secret of `vault rotate --due` and `--all`. */
import { SecretsManagerError } from '../src/errors.ts';
import type { ListedName } from '../src/vault/operations/list.ts';
import type { Context } from './context.ts';

export interface Result {
  readonly name: string;
  readonly environment: string;
  /** The new version, or `null`. */
  readonly version: number | null;
  readonly code: string | null;
  readonly reason: string | null;
}

/** A secret whose value before this version was let go. */
export interface Retired {
  readonly name: string;
  readonly environment: string;
  readonly version: number;
}

export interface Report {
  readonly results: readonly Result[];
  readonly retired: readonly Retired[];
  readonly dryRun: boolean;
}

export function failed({ name, environment }: ListedName, error: unknown): Result {
  const known = error instanceof SecretsManagerError ? error : null;
  return {
    name,
    environment,
    version: null,
    code: known?.code ?? 'INTERNAL',
    reason: known?.message ?? 'internal error',
  };
}

export async function reportMany(context: Context, report: Report): Promise<void> {
  if (context.json) {
    context.outputJson(report);
    return;
  }
  const { results, retired, dryRun } = report;
  if (results.length > 0)
    await context.table(
      ['ENVIRONMENT', 'NAME', 'VERSION', 'RESULT'],
      results.map(({ name, environment, version, reason }) => [
        environment,
        name,
        version === null ? '-' : String(version),
        reason ?? (dryRun ? 'would be rotated' : 'rotated'),
      ]),
    );
  for (const { name, environment, version } of retired)
    context.inform(
      `the value before version ${version} of ${context.shown(name)} in ${environment} ${dryRun ? 'would be' : 'was'} let go`,
    );
  const good = results.filter(({ version }) => version !== null).length;
  context.inform(
    `${good} ${dryRun ? 'would be rotated' : 'rotated'}, ${results.length - good} ${dryRun ? 'could not be' : 'failed'}`,
  );
}
