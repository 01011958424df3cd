/** The text format of Prometheus: what is escaped and where, and that a family is one run of lines. */
import { expect, test } from 'vitest';
import { expositionText } from '../../../commands/exposition.ts';
import type { MetricFamily } from '../../../src/vault/operations/metrics.ts';

const family = (changes: Partial<MetricFamily> = {}): MetricFamily => ({
  name: 'vault_x',
  type: 'gauge',
  help: 'X.',
  samples: [{ labels: {}, value: 1 }],
  ...changes,
});

test('a family: what it is, its type, its samples', () => {
  const samples = [
    { labels: { environment: 'a', state: 'live' }, value: 3 },
    { labels: { environment: 'b', state: 'live' }, value: 0.25 },
  ];
  expect(expositionText([family({ samples }), family({ name: 'vault_y_total', type: 'counter' })])).toBe(
    [
      '# HELP vault_x X.',
      '# TYPE vault_x gauge',
      'vault_x{environment="a",state="live"} 3',
      'vault_x{environment="b",state="live"} 0.25',
      '# HELP vault_y_total X.',
      '# TYPE vault_y_total counter',
      'vault_y_total 1',
      '',
    ].join('\n'),
  );
});

test('backslashes, LFs and, in labels, quotes are escaped; nothing else is', () => {
  const labels = { environment: 'a"b\\c\nd\té{}=,#' };
  const text = expositionText([family({ help: 'a"b\\c\nd', samples: [{ labels, value: 1 }] })]);
  expect(text).toBe(
    '# HELP vault_x a"b\\\\c\\nd\n# TYPE vault_x gauge\nvault_x{environment="a\\"b\\\\c\\nd\té{}=,#"} 1\n',
  );
});

test('a family that has nothing to say is left out', () => {
  expect(expositionText([family({ samples: [] })])).toBe('');
});
