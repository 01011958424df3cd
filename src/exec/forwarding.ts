/**
 * Signals that reach us while a child runs.
 *
 * The child stays in our process group and session: it is then in the terminal's foreground when we are, its job control
 * works, and a SIGKILL for the group leaves nobody behind. (Node could only give it a session of its own, without the
 * terminal.) What follows for each signal:
 *
 * - SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 are meant for the work: forwarded. A terminal that goes away may then send SIGHUP
 *   twice, which does no harm; one that was sent to us alone must not be lost.
 * - SIGINT, SIGQUIT come from the keyboard when we are in the foreground, and then the child has them already. Twice is
 *   worse than not at all: many programs take a second Ctrl-C for "stop at once, whatever breaks". Outside of the
 *   foreground (CI, service managers, `kill` in a script) nobody but us can pass them on: forwarded. Known limit: a SIGINT
 *   sent by `kill` to us alone, while we are in a terminal's foreground, is not; use SIGTERM.
 * - SIGTSTP, SIGCONT, SIGWINCH reach the whole group as well and are left to their defaults.
 *
 * None of them ends us: we end when the child has, with its status, and clean up then.
 */
import { isInForeground } from './process-table.ts';

const sentToUs = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
const fromKeyboard = ['SIGINT', 'SIGQUIT'] as const;
/** Windows knows no sending, only the events of a console, which reach every program in it. */
const onWindows = ['SIGINT', 'SIGBREAK', 'SIGHUP'] as const;

/**
 * Takes the signals above until the function that is returned is called.
 *
 * @param received Told about each, and whether a child that was running has it already.
 */
export function takeSignals(received: (signal: NodeJS.Signals, childHasIt: boolean) => void): () => void {
  const always = (signal: NodeJS.Signals): void => received(signal, false);
  const perhaps = (signal: NodeJS.Signals): void => received(signal, isInForeground());
  const windows = process.platform === 'win32';
  const alone = windows ? [] : sentToUs;
  const shared = windows ? onWindows : fromKeyboard;
  for (const signal of alone) process.on(signal, always);
  for (const signal of shared) process.on(signal, perhaps);
  return () => {
    for (const signal of alone) process.off(signal, always);
    for (const signal of shared) process.off(signal, perhaps);
  };
}
