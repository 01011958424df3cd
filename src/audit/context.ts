/** Who, where and from which program or job: what an audit record says of the circumstances. */
import { hostname, userInfo } from 'node:os';
import type { AuditContext } from '../format/audit-record.ts';
import { readUserFile } from '../storage/user-file.ts';

/** Variables by which CI systems name a job. */
const jobs = ['GITHUB_RUN_ID', 'CI_JOB_ID', 'BUILD_TAG', 'BUILDKITE_JOB_ID', 'CIRCLE_BUILD_NUM'];
const bound = 250;

function bounded(text: string): string {
  return Buffer.from(text.toWellFormed()).subarray(0, bound).toString('utf8').toWellFormed();
}

/**
 * @param env of this process: CI systems and SSH say there who they are
 * @param program the one that asks
 * @param elsewhere the session where no CI job is named
 */
export function auditContext(
  env: Readonly<Record<string, string | undefined>>,
  program: string,
  elsewhere: string,
): AuditContext {
  const job = jobs.find((name) => env[name] !== undefined);
  return {
    user: userName(),
    host: bounded(hostname()),
    address: bounded(env['SSH_CONNECTION']?.split(' ')[0] ?? ''),
    program: bounded(program),
    session: bounded(job === undefined ? elsewhere : `${job}=${env[job] ?? ''}`),
  };
}

/** Name of the user that this process belongs to. */
export function userName(): string {
  try {
    return bounded(userInfo().username);
  } catch {
    // A container may run under a number without a name.
    return String(process.getuid?.() ?? '');
  }
}

/** Name of the program that started this one, where the system tells. */
export function parentProgram(): string {
  try {
    const bytes = readUserFile(`/proc/${process.ppid}/comm`, 4_096);
    return Buffer.from(bytes).toString('utf8').trimEnd();
  } catch {
    return '';
  }
}
