/** Whose process this is: a number, and folders of their own. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Numeric id of the caller, or `null` where the system has none. */
export function callerId(): number | null {
  return process.getuid?.() ?? null;
}

/** The user's folder for this program below one of the XDG folders, or `null` where there is no home. */
export function userFolder(
  env: Readonly<Record<string, string | undefined>>,
  kind: 'state' | 'config' | 'data',
): string | null {
  const named = env[{ state: 'XDG_STATE_HOME', config: 'XDG_CONFIG_HOME', data: 'XDG_DATA_HOME' }[kind]];
  const home = env['HOME'] ?? homedir();
  const below = { state: '.local/state', config: '.config', data: '.local/share' }[kind];
  if (named?.startsWith('/') === true) return join(named, 'vault');
  return home === '' || home === '/nonexistent' ? null : join(home, below, 'vault');
}
