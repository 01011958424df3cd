/** Programs without types are told what is wrong with their arguments, and nothing is passed over in silence. Values are not quoted. */
import { UsageError } from '../errors.ts';
import type {
  GetOptions,
  GetSecretOptions,
  ListOptions,
  OpenOptions,
  RotateOptions,
  VerifyOptions,
} from './options.ts';

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
