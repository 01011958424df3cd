/**
 * A login at a server, and what is done there, in a process of its own: this program, as `vault hook-session`. A client library reads what a
 * stranger has written. It may be made to turn in circles, to break off or to fill its memory, and takes nothing else along then. It has none of
 * the vault's keys, and of values that one login and what the server keeps of the new password.
 *
 * It ends when whoever began it is gone, as a pipe between them tells (`lifeline`): somebody may take back soon what it would still change. Known
 * limit: what a server has it do without a break it does until its time is over, and where there is a shell, for as much work.
 */
import type { Readable } from 'node:stream';
import { existsSync } from 'node:fs';
import { InterruptedError } from '../errors.ts';
import type { ChildKeeper } from '../exec/child-keeper.ts';
import { after } from '../exec/deadline.ts';
import { runProgram, shellCall } from '../exec/shell.ts';
import { withoutOurCredentials } from '../exec/variables.ts';
import { LoginRefused, StepFailure } from './rotation-hook.ts';
import type { Tls } from './tls.ts';

/** Where to, and how long it may take. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly tls: Tls | null;
  readonly limitMs: number;
}

/** Who logs in, and where to; of Redis the user `default` has no name in a credential. */
export interface Login {
  readonly username: string;
  readonly password: string;
  readonly database: string | null;
}

interface JobAt {
  readonly address: Address;
  readonly login: Login;
}

export interface PostgresJob extends JobAt {
  readonly server: 'postgres';
  /** What a role's password is from now on, as the server keeps it; `null`: to see whether the login works. */
  readonly change: { readonly role: string; readonly verifier: string | null } | null;
}

export interface RedisJob extends JobAt {
  readonly server: 'redis';
  /** A password that is added (`#`) or taken away (`!`), by its SHA-256. */
  readonly change: { readonly sign: '#' | '!'; readonly user: string; readonly hash: string } | null;
}

export type Job = PostgresJob | RedisJob;

export interface Done {
  /** Whether the server has written the change down. */
  readonly isKept: boolean;
}

/** @throws StepFailure; InterruptedError where somebody ended it */
export type Session = (job: Job) => Promise<Done>;

/** How it ended, in one line on its standard output. */
export type Ending =
  | ({ readonly is: 'done' } & Done)
  | { readonly is: 'refused' }
  | { readonly is: 'failed'; readonly why: string; readonly isUntouched: boolean };

/** The line before that: what changes something is sent now. */
export const sendingNow = 'sending';
export const sessionCommand = 'hook-session';
/** Descriptor of a pipe on which nothing comes: the other end is closed when its owner is gone, however that came. */
export const lifeline = 3;

/** Bytes of an ending, and more. */
const mostSaid = 4_096;

export interface SessionOptions {
  /** How this program is called. */
  readonly self: readonly string[];
  /** Ours: they get none of our credentials. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends them; `null` where they share our process group, and its Ctrl-C. */
  readonly keeper: ChildKeeper | null;
  /** Calls when a time is over; what it returns takes that back. */
  readonly after?: typeof after;
}

export function sessionsOf({ self, environment, keeper, after: wait = after }: SessionOptions): Session {
  return async (job) => {
    let said = '';
    let status: number;
    const time = { isOver: false };
    const take = async (output: Readable): Promise<void> => {
      for await (const chunk of output) if (said.length < mostSaid) said += String(chunk);
    };
    const fail = (why: string, isUntouched: boolean, cause?: unknown): StepFailure =>
      new StepFailure(`failed: ${why}`, { cause, isUntouched });
    try {
      const stdio = ['pipe', 'pipe', 'ignore', 'pipe'] as const;
      const options = { environment: withoutOurCredentials(environment), stdio, keeper };
      status = await runProgram(callOf(self, job), options, (child) => {
        const cancel = wait(job.address.limitMs, () => {
          time.isOver = true;
          child.kill('SIGKILL');
        });
        child.once('close', cancel);
        child.stdin?.on('error', () => undefined).end(JSON.stringify(job));
        return child.stdout === null ? [] : [take(child.stdout)];
      });
    } catch (cause) {
      if (cause instanceof InterruptedError) throw cause;
      throw fail(unstarted, said === '', cause);
    }
    const ending = endingIn(said);
    if (ending === null) {
      if (said === '' && notRun.has(status)) throw fail(unstarted, true);
      const why = time.isOver ? 'no answer in time' : 'its client broke off at what the server sent';
      throw fail(why, !said.startsWith(sendingNow));
    }
    if (ending.is === 'refused') throw new LoginRefused();
    if (ending.is === 'failed') throw fail(ending.why, ending.isUntouched);
    return ending;
  };
}

const unstarted = 'the program for it could not be started';
/** What a shell ends with that could not run it (POSIX.1, "Exit Status for Commands"). */
const notRun: ReadonlySet<number> = new Set([126, 127]);

/** How long it may compute where nobody is left to end it. */
const secondsBeyond = 10;

function callOf(self: readonly string[], { address }: Job): readonly [string, readonly string[]] {
  const [file, ...words] = [...self, sessionCommand];
  const seconds = Math.ceil(address.limitMs / 1_000) + secondsBeyond;
  const [shell, [flag = '', line = '']] = shellCall(`ulimit -t ${seconds}; exec "$0" "$@"`);
  return existsSync(shell) ? [shell, [flag, line, file, ...words]] : [file, words];
}

function endingIn(said: string): Ending | null {
  const [line, rest] = said.split('\n').slice(-2);
  if (line === undefined || line === sendingNow || rest !== '') return null;
  return JSON.parse(line) as Ending;
}
