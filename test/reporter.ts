/** Closes a run with one plain line of totals, for whatever reads the log of a check. */
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

export default class ClosingLine implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly unknown[],
    reason: TestRunEndReason,
  ): void {
    const totals = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      // A file that could not be loaded, or that failed outside its tests, has no failing test to count.
      if (module.errors().length > 0) totals.failed += 1;
      for (const test of module.children.allTests()) totals[test.result().state] += 1;
    }
    const failed = reason === 'passed' ? totals.failed : Math.max(totals.failed, 1);
    const skipped = totals.skipped + totals.pending;
    const line = `${totals.passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
    // The default reporter writes its summary in the same round: ours comes after it.
    process.on('exit', () => {
      process.stdout.write(`${line}\n`);
    });
  }
}
