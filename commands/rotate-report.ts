/** What became of each secret of `vault rotate --due` and `--all`. */
import type { Context } from './context.ts';

export interface Result {
  readonly name: string;
  readonly environment: string;
  /** The new version, or `null`. */
  readonly version: number | null;
  readonly code: string | null;
  readonly reason: string | null;
}

export async function reportMany(
  context: Context,
  results: readonly Result[],
  dryRun: boolean,
): Promise<void> {
  if (context.json) {
    context.outputJson({ dryRun, results });
    return;
  }
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
  const good = results.filter(({ version }) => version !== null).length;
  context.inform(
    `${good} ${dryRun ? 'would be rotated' : 'rotated'}, ${results.length - good} ${dryRun ? 'could not be' : 'failed'}`,
  );
}
