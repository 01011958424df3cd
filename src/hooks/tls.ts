/** TLS as `sslmode` of libpq says it ("SSL Support"): by default to whom it proves, and none on this machine. */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';
import { UsageError } from '../errors.ts';

/** Plain data: it is handed to another process. */
export interface Tls {
  readonly mode: string;
  /** A certificate to trust in place of the system's. */
  readonly ca: string | null;
}

/** @returns `null` for a connection without TLS. @throws UsageError for a file that cannot be read */
export function tlsFrom(host: string, settings: ReadonlyMap<string, string>): Tls | null {
  const mode = settings.get('tls') ?? (isLocal(host) ? 'disable' : 'verify-full');
  const file = settings.get('ca');
  const ca = file === undefined ? null : certificateIn(file);
  // Any server in the world has a certificate of some authority.
  if (mode === 'verify-ca' && ca === null)
    throw new UsageError('with tls=verify-ca the hook has to name the authority: ca=FILE');
  return mode === 'disable' ? null : { mode, ca };
}

/** A server on this machine: what goes there passes no network. */
function isLocal(host: string): boolean {
  return host.startsWith('/') || /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/iu.test(host);
}

/** Whether it is certain, before anything is said, that it is a server that a trusted authority vouches for. */
export function isProven(tls: Tls | null): boolean {
  return tls !== null && (tls.mode !== 'require' || tls.ca !== null);
}

export function connectionOptions(host: string, tls: Tls): ConnectionOptions {
  const ca = tls.ca === null ? {} : { ca: tls.ca };
  if (tls.mode === 'require')
    return { ...ca, rejectUnauthorized: isProven(tls), checkServerIdentity: () => undefined };
  // Said, since a variable (NODE_TLS_REJECT_UNAUTHORIZED) can change what is usual.
  const proven = { ...ca, rejectUnauthorized: true } as const;
  if (tls.mode === 'verify-ca') return { ...proven, checkServerIdentity: () => undefined };
  // An address is no server name (RFC 6066 section 3), and is what has to stand in the certificate all the same.
  const name = isIP(host) === 0 ? { servername: host } : {};
  return {
    ...proven,
    ...name,
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  };
}

const largestCertificate = 1024 ** 2;

function certificateIn(file: string): string {
  try {
    // Not a pipe, which would be waited for.
    const { size } = statSync(file);
    if (!statSync(file).isFile() || size > largestCertificate)
      throw new UsageError('it is no file of a certificate');
    return readFileSync(file, 'latin1');
  } catch (cause) {
    throw new UsageError('the file that the setting ca of the hook names cannot be read', { cause });
  }
}
