/** Options of the library's functions. Programs without types are told what is wrong with theirs, and nothing is passed over in silence. */
import { UsageError } from '../errors.ts';

/** How a vault is opened. Exactly one of `token`, `passphrase` and `recoveryKey` is given. */
export interface OpenOptions {
  /** The vault's file, or a folder with `secrets.vault` in it; relative to the working folder. */
  readonly path: string;
  /** An access token, `vlt1_…`. */
  readonly token?: string | undefined;
  readonly passphrase?: string | undefined;
  /** Content of the key file that belongs to the passphrase. Copied, and the copy is wiped. */
  readonly keyFile?: Uint8Array | undefined;
  /** A recovery key, `VRK1-…`. */
  readonly recoveryKey?: string | undefined;
  /** Name of the principal, where a passphrase or a recovery key does not say who it belongs to. */
  readonly principal?: string | undefined;
  /** The environment that is meant where a call names none. Without it: the vault's own choice. */
  readonly environment?: string | undefined;
  /** The audit log. Without it: the one beside the vault. */
  readonly auditFile?: string | undefined;
  /** Where this machine remembers vaults, or `null` for no memory. Without it: the folder that the command line uses. */
  readonly stateFolder?: string | null | undefined;
  /** What computes Argon2id; both give the same key. Without it: `wasm`. */
  readonly kdfEngine?: 'wasm' | 'native' | undefined;
  /** Told what does not stop an operation. Without it: `process.emitWarning`. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

interface InEnvironment {
  readonly environment?: string | undefined;
}

export interface GetOptions extends InEnvironment {
  /** A version's number, or the one before the current one. Without it: the current one. */
  readonly version?: number | 'previous' | undefined;
  /** Also if it has expired. */
  readonly allowExpired?: boolean | undefined;
}

export interface GetSecretOptions extends GetOptions {
  /** Path of a field of a JSON secret, such as `user` or `hosts.0.name`; the value is then that field's. */
  readonly field?: string | undefined;
}

export type VerifyOptions = InEnvironment;

export interface ListOptions extends InEnvironment {
  /** Of every environment that the principal can open. */
  readonly allEnvironments?: boolean | undefined;
}

/** Exactly one of `value` and `generate` is given. */
export interface RotateOptions extends InEnvironment {
  /** The new value: text, stored as UTF-8, or bytes. Not empty. Copied, and the copy is wiped. */
  readonly value?: string | Uint8Array | undefined;
  /** A generator: `password[:LENGTH[:luds]]`, `hex:BYTES`, `base64:BYTES`, `base64url:BYTES`, `uuid`. */
  readonly generate?: string | undefined;
  /** Only if the current version is this. */
  readonly ifVersion?: number | undefined;
}

/** One kind of argument: what it is called, and what is one. */
interface Kind {
  readonly is: string;
  readonly accepts: (value: unknown) => boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isBytes = (value: unknown): boolean => value instanceof Uint8Array;
const isNumber = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 1;

const text: Kind = { is: 'text', accepts: isText };
const bytes: Kind = { is: 'a Uint8Array', accepts: isBytes };
const flag: Kind = { is: 'true or false', accepts: (value) => typeof value === 'boolean' };
const versionNumber: Kind = { is: 'a number from 1', accepts: isNumber };
const textOrBytes: Kind = { is: 'text or a Uint8Array', accepts: (value) => isText(value) || isBytes(value) };

type Kinds<T> = { readonly [K in keyof Required<T>]: Kind };

const get: Kinds<GetOptions> = {
  environment: text,
  version: {
    is: 'a number from 1, or previous',
    accepts: (value) => isNumber(value) || value === 'previous',
  },
  allowExpired: flag,
};

const kinds = {
  open: {
    path: text,
    token: text,
    passphrase: text,
    keyFile: bytes,
    recoveryKey: text,
    principal: text,
    environment: text,
    auditFile: text,
    stateFolder: { is: 'text, or null', accepts: (value) => isText(value) || value === null },
    kdfEngine: { is: 'wasm or native', accepts: (value) => value === 'wasm' || value === 'native' },
    onWarning: { is: 'a function', accepts: (value) => typeof value === 'function' },
  } satisfies Kinds<OpenOptions>,
  getSecret: { ...get, field: text } satisfies Kinds<GetSecretOptions>,
  getDatabaseCredential: get,
  getApiKey: get,
  verifySecret: { environment: text } satisfies Kinds<VerifyOptions>,
  rotateSecret: {
    environment: text,
    value: textOrBytes,
    generate: text,
    ifVersion: versionNumber,
  } satisfies Kinds<RotateOptions>,
  listSecrets: { environment: text, allEnvironments: flag } satisfies Kinds<ListOptions>,
} as const;

/** @param of the function @throws UsageError for an option that there is not, or of another kind; values are not quoted */
export function checkOptions(of: keyof typeof kinds, options: unknown): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new UsageError(`the options of ${of} are an object`);
  const known: Readonly<Record<string, Kind>> = kinds[of];
  for (const [key, value] of Object.entries(options as Record<string, unknown>)) {
    const kind = Object.hasOwn(known, key) ? known[key] : undefined;
    if (kind === undefined) {
      const hint = `there are ${Object.keys(known).join(', ')}`;
      throw new UsageError(`${of} has no option ${JSON.stringify(key)}`, { hint });
    }
    if (value !== undefined && !kind.accepts(value))
      throw new UsageError(`option ${key} of ${of} is ${kind.is}`);
  }
}

/** @throws UsageError for anything but text */
export function checkText(what: string, value: unknown): void {
  if (!isText(value)) throw new UsageError(`${what} is ${text.is}`);
}

/** A copy of text or bytes that somebody gave; the caller wipes it. @throws UsageError for anything else, and for text that is not Unicode */
export function copyOfBytes(what: string, value: unknown): Uint8Array<ArrayBuffer> {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (typeof value !== 'string') throw new UsageError(`${what} is ${textOrBytes.is}`);
  if (!value.isWellFormed()) throw new UsageError(`${what} is not valid Unicode text`);
  return new TextEncoder().encode(value);
}
