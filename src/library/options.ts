/** Options of the library's functions. An option that is `undefined` is the same as none. */

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

/** What a secret is to become. */
type NewValue =
  | {
      /** The new value: text, stored as UTF-8, or bytes. Not empty. Copied, and the copy is wiped. */
      readonly value: string | Uint8Array;
      readonly generate?: undefined;
    }
  | {
      /** A generator: `password[:LENGTH[:luds]]`, `hex:BYTES`, `base64:BYTES`, `base64url:BYTES`, `uuid`. */
      readonly generate: string;
      readonly value?: undefined;
    };

export type RotateOptions = InEnvironment &
  NewValue & {
    /** Only if the current version is this. */
    readonly ifVersion?: number | undefined;
  };
