/** What `vault hook-session` does: the other side of session.ts. */
import { Socket } from 'node:net';
import { receiveAtMost } from './received.ts';
import { LoginRefused, StepFailure } from './rotation-hook.ts';
import { lifeline, sendingNow, type Done, type Ending, type Job } from './session.ts';

/** Whoever has begun it ends it in time. */
const lateMs = 2_000;

/**
 * For a process that does nothing else, and ends with this.
 * @param say writes to whoever has begun it; false if nobody is left
 */
export async function workInSession(text: string, say: (line: string) => boolean): Promise<void> {
  const job = JSON.parse(text) as Job;
  receiveAtMost(job.server);
  const sending = (): void => {
    if (!say(`${sendingNow}\n`)) throw new StepFailure('failed: nobody waits for it', { isUntouched: true });
  };
  const over = new Promise<void>((resolve) => setTimeout(resolve, job.address.limitMs + lateMs));
  const work = endingOf(done(job, sending)).then((ending) => say(`${JSON.stringify(ending)}\n`));
  await Promise.race([work, over, ownerIsGone()]);
}

async function ownerIsGone(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  new Socket({ fd: lifeline, writable: false }).once('close', resolve).resume();
  return promise;
}

async function done(job: Job, sending: () => void): Promise<Done> {
  return job.server === 'postgres'
    ? (await import('./postgres-session.ts')).workAtPostgres(job, sending)
    : (await import('./redis-session.ts')).workAtRedis(job, sending);
}

async function endingOf(work: Promise<Done>): Promise<Ending> {
  try {
    return { is: 'done', ...(await work) };
  } catch (error) {
    if (error instanceof LoginRefused) return { is: 'refused' };
    if (!(error instanceof StepFailure)) throw error;
    return { is: 'failed', why: error.message.replace(/^failed: /u, ''), isUntouched: error.isUntouched };
  }
}
