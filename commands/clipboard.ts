/** `vault clear-clipboard`: run by `get --clip` in the background, not by people. */
import { clearAfterSeconds, clearIfUnchanged } from '../src/terminal/clipboard.ts';
import type { Declare } from './command.ts';

export const declareClearClipboard: Declare = (program, act) =>
  program
    .command('clear-clipboard', { hidden: true })
    .description(
      'clear the clipboard later, if it still holds the value whose digest comes on standard input',
    )
    .action(
      act(async (context) => {
        const digest = Buffer.from(context.readInput()).toString('latin1');
        await new Promise((resolve) => setTimeout(resolve, clearAfterSeconds * 1_000));
        await clearIfUnchanged(digest, context.host.env);
      }),
    );
