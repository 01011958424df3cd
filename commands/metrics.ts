/** `vault metrics`: what monitoring may know, as Prometheus reads it. */
import { UsageError } from '../src/errors.ts';
import { metricFamilies } from '../src/vault/operations/metrics.ts';
import { vaultStatus } from '../src/vault/operations/status.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { expositionText } from './exposition.ts';
import { version } from './version.ts';

interface MetricsFlags {
  readonly out?: string;
}

/** The node exporter reads files of this name alone, and runs as another user: what it reads holds no secret. */
const ending = '.prom';
const readableByAll = 0o644;

export const declareMetrics: Declare = (program, act) => {
  const command = program
    .command('metrics')
    .description('print counts, times and sizes for Prometheus; counters begin anew when the log is pruned')
    .option('--out <file>', `write them to a ${ending} file instead, whole or not at all, readable by all`)
    .action(act<MetricsFlags>(runMetrics));
  return examples(
    command,
    'vault metrics',
    'vault metrics --out /var/lib/node_exporter/vault.prom',
    'vault metrics --json',
  );
};

async function runMetrics(context: Context, { out }: MetricsFlags): Promise<void> {
  if (out?.endsWith(ending) === false)
    throw new UsageError(`the file of --out must end in ${ending}`, {
      hint: 'the node exporter reads no others in its textfile folder',
    });
  const vault = await context.openVault();
  const status = await vault.read('metrics', async (scope) => vaultStatus(scope, vault.place));
  const families = metricFamilies({ status, version, stretchSeconds: vault.stretchSeconds });
  const text = expositionText(families);
  if (out !== undefined) context.writeFile(out, new Uint8Array(Buffer.from(text)), readableByAll);
  if (context.json) context.outputJson(families);
  else if (out === undefined) context.output(text);
}
