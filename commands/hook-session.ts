/** `vault hook-session`, which a ready hook runs, not people: src/hooks/session.ts. */
import { sessionCommand } from '../src/hooks/session.ts';
import { workInSession } from '../src/hooks/session-work.ts';
import type { Declare } from './command.ts';

export const declareHookSession: Declare = (program, act) =>
  program
    .command(sessionCommand, { hidden: true })
    .description('log in at a server and do there what comes on standard input')
    .action(
      act(async (context) => {
        const job = Buffer.from(context.readInput()).toString();
        await workInSession(job, (line) => context.output(line));
      }),
    );
