/**
 * Which PKCS #11 library is loaded. A library is code that runs as the user, so only the user says which: never the vault, which
 * somebody else may have written, nor a project's files. docs/decisions/0007-devices.md.
 */
import path from 'node:path';
import { UsageError } from '../errors.ts';
import type { TypedPkcs11Uri } from '../format/pkcs11-uri.ts';

export interface ModuleSources {
  /** What the user typed just now; `null` for a URI from a vault, of which this is never taken. */
  readonly typed: Pick<TypedPkcs11Uri, 'modulePath' | 'moduleName'> | null;
  /** VAULT_PKCS11_MODULE. */
  readonly variable: string | null;
  /** Of the user's own configuration. */
  readonly configured: string | null;
}

/**
 * The first that is named: an absolute path, or, but on Windows, the plain name of a file in the system's own library folders. `null`
 * stands for the default (`defaultModules`).
 *
 * @throws UsageError for a relative path: it would be looked for where the command happens to run
 */
export function chooseModule(sources: ModuleSources, platform = process.platform): string | null {
  const { typed, variable, configured } = sources;
  const { modulePath = null, moduleName = null } = typed ?? {};
  if (modulePath !== null) return checked(modulePath, 'module-path', platform);
  if (moduleName !== null) return checked(fileOf(moduleName, platform), 'module-name', platform);
  if (variable !== null) return checked(variable, 'VAULT_PKCS11_MODULE', platform);
  return configured === null
    ? null
    : checked(configured, 'the PKCS#11 module of the configuration', platform);
}

/**
 * What is tried where nobody named one: the proxy of p11-kit, which offers all tokens that the system knows of, by a name that the
 * loader looks up in the system's folders; then what pkcs11-tool itself takes (OpenSC's own), `null`.
 */
export function defaultModules(platform = process.platform): readonly (string | null)[] {
  return platform === 'linux' ? ['p11-kit-proxy.so', null] : [null];
}

function checked(module: string, source: string, platform: NodeJS.Platform): string {
  const windows = platform === 'win32';
  const plain = !windows && /^[\w.+-]+$/u.test(module) && !/^\.+$/u.test(module);
  const absolute = (windows ? path.win32 : path.posix).isAbsolute(module);
  if ((plain || absolute) && !module.includes('\0')) return module;
  throw new UsageError(`${source} is not the absolute path of a PKCS#11 library`);
}

function fileOf(name: string, platform: NodeJS.Platform): string {
  const end = platform === 'win32' ? '.dll' : platform === 'darwin' ? '.dylib' : '.so';
  return name.endsWith(end) ? name : name + end;
}
