/**
 * Families of samples as Prometheus reads them: its text format, version 0.0.4. One family is one run of lines; a family without samples
 * is left out. docs/decisions/0011-metrics.md says why no library writes it.
 */
import type { MetricFamily, Sample } from '../src/vault/operations/metrics.ts';

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '"': '\\"' };
const escapedHelp = (text: string): string =>
  text.replaceAll(/[\\\n]/g, (character) => escapes[character] ?? '');
const escapedLabel = (text: string): string =>
  text.replaceAll(/[\\\n"]/g, (character) => escapes[character] ?? '');

function sampleLine(name: string, { labels, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapedLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

export function expositionText(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, type, help, samples }) => {
      const lines = samples.map((sample) => sampleLine(name, sample));
      return `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
    })
    .join('');
}
