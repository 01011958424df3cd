/**
 * Which file a command is, found as a shell finds it, but in the child's own PATH.
 *
 * Statuses are the shell's: 127 not found, 126 found but not something that can run. Sources: POSIX.1-2024, Shell and
 * Utilities, 2.9.1.4 "Command search and execution".
 */
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/**
 * A file to run, relative to `cwd` if the command or its part of PATH is (scripts see it as `$0`), or why there is none: the
 * exit status that a shell would have, and the reason in words.
 */
export type FoundProgram =
  { readonly path: string } | { readonly path: null; readonly status: 126 | 127; readonly reason: string };

type Verdict = 'runs' | 'missing' | 'folder' | 'forbidden';

/** What execvp uses where PATH is not set. */
const defaultPath = '/bin:/usr/bin';
const defaultExtensions = '.COM;.EXE;.BAT;.CMD';

/** @param cwd Absolute; relative commands and relative parts of PATH (an empty one too) start from it. */
export function findProgram(
  command: string,
  environment: Readonly<Record<string, string>>,
  cwd: string,
  platform: NodeJS.Platform = process.platform,
): FoundProgram {
  const quoted = JSON.stringify(command);
  if (command === '') return { path: null, status: 127, reason: 'the command is empty' };
  let worst: Verdict = 'missing';
  for (const candidate of candidates(command, environment, cwd, platform)) {
    // Joined by hand: path.resolve would drop the `/` that says that `program/` is meant to be a folder.
    const verdict = judge(
      candidate.startsWith('/') || platform === 'win32' ? candidate : `${cwd}/${candidate}`,
    );
    if (verdict === 'runs') return { path: candidate };
    if (worst === 'missing') worst = verdict;
  }
  if (worst === 'missing') return { path: null, status: 127, reason: `${quoted}: command not found` };
  return {
    path: null,
    status: 126,
    reason: worst === 'folder' ? `${quoted} is a folder` : `${quoted}: permission denied`,
  };
}

function candidates(
  command: string,
  environment: Readonly<Record<string, string>>,
  cwd: string,
  platform: NodeJS.Platform,
): string[] {
  if (platform === 'win32') return windowsCandidates(command, environment, cwd);
  if (command.includes('/')) return [command];
  return (environment['PATH'] ?? defaultPath)
    .split(':')
    .map((folder) => `${folder === '' ? '.' : folder}/${command}`);
}

/** Unlike cmd.exe, not in the current folder: that would run what somebody left in a downloaded project. */
function windowsCandidates(
  command: string,
  environment: Readonly<Record<string, string>>,
  cwd: string,
): string[] {
  const { win32 } = path;
  const variable = (wanted: string): string | undefined =>
    Object.entries(environment).find(([name]) => name.toUpperCase() === wanted)?.[1];
  const extensions = (variable('PATHEXT') ?? defaultExtensions)
    .split(';')
    .filter((extension) => extension !== '');
  const named = extensions.some((extension) => command.toUpperCase().endsWith(extension.toUpperCase()));
  const spellings = named ? [command] : extensions.map((extension) => command + extension);
  const folders = /[\\/:]/u.test(command)
    ? [cwd]
    : (variable('PATH') ?? '').split(';').filter((part) => part !== '');
  return folders.flatMap((folder) => spellings.map((spelling) => win32.resolve(cwd, folder, spelling)));
}

function judge(file: string): Verdict {
  try {
    if (statSync(file).isDirectory()) return 'folder';
    accessSync(file, constants.X_OK);
    return 'runs';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    return code === 'EACCES' || code === 'EPERM' ? 'forbidden' : 'missing';
  }
}
