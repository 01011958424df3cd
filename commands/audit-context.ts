/** Who, where and from which program or job: what an audit record says of the circumstances. */
import { hostname, userInfo } from 'node:os';
import { readUserFile } from '../src/storage/user-file.ts';
import { errorIsTerminal } from '../src/terminal/streams.ts';
import type { Place } from '../src/vault/place.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables by which CI systems name a job. */
const jobs = ['GITHUB_RUN_ID', 'CI_JOB_ID', 'BUILD_TAG', 'BUILDKITE_JOB_ID', 'CIRCLE_BUILD_NUM'];
const bound = 250;

function bounded(text: string): string {
  return Buffer.from(text.toWellFormed()).subarray(0, bound).toString('utf8').toWellFormed();
}

export function auditContext(env: Environment): Place['context'] {
  const job = jobs.find((name) => env[name] !== undefined);
  const terminal = errorIsTerminal() ? 'terminal' : 'none';
  return {
    user: bounded(userName()),
    host: bounded(hostname()),
    address: bounded(env['SSH_CONNECTION']?.split(' ')[0] ?? ''),
    program: bounded(parentProgram()),
    session: bounded(job === undefined ? terminal : `${job}=${env[job] ?? ''}`),
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number without a name.
    return String(process.getuid?.() ?? '');
  }
}

/** Name of the program that started this one, where the system tells. */
function parentProgram(): string {
  try {
    const bytes = readUserFile(`/proc/${process.ppid}/comm`, 4_096);
    return Buffer.from(bytes).toString('utf8').trimEnd();
  } catch {
    return '';
  }
}
