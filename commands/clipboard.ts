/** The clipboard, for `get --clip` and the console; and `vault clear-clipboard`, which they run in the background, not people. */
import { withoutOurCredentials } from '../src/exec/variables.ts';
import {
  clearAfterSeconds,
  clearIfUnchanged,
  clearLater,
  copyToClipboard,
} from '../src/terminal/clipboard.ts';
import type { Declare } from './command.ts';
import type { Context } from './context.ts';

/** Put a value (borrowed) on the clipboard, to be cleared later where that can be done. @returns what to tell the person */
export async function toClipboard(context: Context, value: Uint8Array, name: string): Promise<string> {
  const { self } = context.host;
  const env = withoutOurCredentials(context.host.env);
  const copied = await copyToClipboard(value, env);
  if (copied === 'program') await clearLater(value, env, self);
  const until =
    copied === 'program'
      ? `for ${clearAfterSeconds} seconds`
      : 'through the terminal; it stays until you copy something else';
  return `${context.shown(name)} is on the clipboard ${until}`;
}

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
