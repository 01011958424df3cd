/**
 * Where a program's vault is, and the machine that it runs on. The one place of the library that reads the environment: folders of the
 * user, and what CI systems and SSH say of themselves. Variables of the command line (VAULT_…) mean nothing here.
 */
import { basename, resolve } from 'node:path';
import { auditContext } from '../audit/context.ts';
import { callerId, userFolder } from '../storage/caller.ts';
import { realFileSystem } from '../storage/file-system.ts';
import { locateNamed } from '../storage/locate.ts';
import { acquireLock } from '../storage/lock.ts';
import type { Place } from '../vault/place.ts';
import { systemPlace } from '../vault/system-place.ts';
import type { OpenOptions } from './options.ts';

/** @throws SecretNotFoundError VAULT_NOT_FOUND; UsageError; IntegrityError UNSAFE_PATH */
export function placeOf(options: OpenOptions): Place {
  const { path, auditFile, stateFolder, kdfEngine, onWarning = emitWarning } = options;
  const cwd = process.cwd();
  const context = auditContext(process.env, programName(), '');
  return systemPlace({
    fs: realFileSystem,
    path: locateNamed({ fs: realFileSystem, cwd, uid: callerId() }, path),
    auditFile: auditFile === undefined ? null : resolve(auditFile),
    stateFolder: typeof stateFolder === 'string' ? resolve(stateFolder) : defaultState(stateFolder),
    kdfEngine: kdfEngine ?? 'wasm',
    operation: 'library',
    circumstances: () => context,
    acquireLock,
    warn: (message) => {
      // On its own: what a listener throws is the program's, and must not look like a failure of the vault.
      queueMicrotask(() => {
        onWarning(message);
      });
    },
  });
}

const defaultState = (given: null | undefined): string | null =>
  given === null ? null : userFolder(process.env, 'state');

/** `library`, and the file that Node was started with. Its other arguments may be anything. */
function programName(): string {
  const script = process.argv[1];
  return script === undefined ? 'library' : `library ${basename(script)}`;
}

function emitWarning(message: string): void {
  process.emitWarning(message, 'VaultWarning');
}
