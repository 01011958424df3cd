import { SecretsManagerError, UsageError } from '../errors.ts';
import { parseApiKey } from '../lifecycle/api-key.ts';
import { parseDatabaseCredential } from '../lifecycle/database-credential.ts';
import { readText } from '../lifecycle/field.ts';
import { generate } from '../lifecycle/generate.ts';
import { getSecret, verifySecret, type GotSecret } from '../vault/operations/get.ts';
import { listInfo } from '../vault/operations/list.ts';
import { putSecret } from '../vault/operations/put.ts';
import { shown } from '../vault/operations/secret.ts';
import type { SecretInfo } from '../vault/secret-info.ts';
import { Vault as OpenVault } from '../vault/vault.ts';
import { credentialOf } from './credential.ts';
import { DatabaseCredential } from './database-credential.ts';
import { checkOptions, checkText, copyOfBytes } from './option-checks.ts';
import type {
  GetOptions,
  GetSecretOptions,
  ListOptions,
  OpenOptions,
  RotateOptions,
  VerifyOptions,
} from './options.ts';
import { placeOf } from './place.ts';
import { checkRuntime } from './runtime.ts';
import { Secret } from './secret.ts';

/** A secret's new version. */
export interface RotatedSecret {
  readonly name: string;
  readonly environment: string;
  readonly version: number;
}

/**
 * An open vault. Every operation is recorded in the audit log before its result is there, as if the command line had done it; what cannot
 * be recorded does not happen. Operations on one vault run one after the other, in the order of the calls.
 *
 * Everything that fails is a `SecretsManagerError` with a `code`: docs/errors.md.
 */
export class Vault {
  readonly #vault: OpenVault;
  readonly #environment: string | null;
  #last: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;

  private constructor(vault: OpenVault, environment: string | null) {
    this.#vault = vault;
    this.#environment = environment;
  }

  /**
   * Open a vault that is there, and unlock it. A failed attempt is recorded.
   * @throws SecretNotFoundError VAULT_NOT_FOUND; UnlockError; IntegrityError; AccessDeniedError; UsageError for options that are wrong, and
   *   where it must be said who one is
   */
  static async open(options: OpenOptions): Promise<Vault> {
    return known(async () => {
      checkRuntime(process.versions.node);
      checkOptions('open', options);
      checkText('option path of open', options.path);
      const place = placeOf(options);
      const { token, credentials, wipe } = await credentialOf(options);
      const { principal = null, environment = null } = options;
      try {
        return new Vault(await OpenVault.open(place, { token, credentials, principal }), environment);
      } finally {
        wipe();
      }
    });
  }

  /** Real path of the vault's file. */
  get path(): string {
    return this.#vault.place.path;
  }

  /**
   * A value, or a field of it, with its metadata. The caller wipes it.
   * @throws SecretNotFoundError; SecretExpiredError; AccessDeniedError
   */
  async getSecret(name: string, options: GetSecretOptions = {}): Promise<Secret> {
    checkOptions('getSecret', options);
    const { value, info } = await this.#get(name, options);
    return new Secret(info, value.bytes);
  }

  /**
   * A secret of the type `database-credential`: a JSON object with `host`, `username` and `password`, and perhaps `engine`, `port` and
   * `database`. Other members are passed over.
   * @throws as `getSecret`; UsageError for another type, or what is no such object; SecretNotFoundError FIELD_NOT_FOUND
   */
  async getDatabaseCredential(name: string, options: GetOptions = {}): Promise<DatabaseCredential> {
    checkOptions('getDatabaseCredential', options);
    const { value, info } = await this.#get(name, options);
    try {
      if (info.type !== 'database-credential') {
        const hint = 'read it with getSecret, or store it with `vault put NAME --type database-credential`';
        throw new UsageError(`${shown(info.name)} is of the type ${info.type}, not database-credential`, {
          hint,
        });
      }
      return new DatabaseCredential(info, parseDatabaseCredential(value.bytes));
    } finally {
      value.wipe();
    }
  }

  /**
   * A secret as text. One of the type `api-key` whose value begins with `{` is a JSON object, and its field `key` is meant.
   * @throws as `getSecret`; UsageError for what is no text; SecretNotFoundError FIELD_NOT_FOUND
   */
  async getApiKey(name: string, options: GetOptions = {}): Promise<string> {
    checkOptions('getApiKey', options);
    const { value, info } = await this.#get(name, options);
    try {
      return info.type === 'api-key' ? parseApiKey(value.bytes) : readText(value.bytes);
    } finally {
      value.wipe();
    }
  }

  /**
   * Whether a candidate is the current value, expired or not. How long that takes depends on the two lengths only.
   * @param candidate text, as UTF-8, or bytes; copied, and the copy is wiped
   * @throws SecretNotFoundError; AccessDeniedError
   */
  async verifySecret(
    name: string,
    candidate: string | Uint8Array,
    options: VerifyOptions = {},
  ): Promise<boolean> {
    checkOptions('verifySecret', options);
    checkText('the name of a secret', name);
    const environment = this.#meant(options);
    const copy = copyOfBytes('the candidate', candidate);
    return this.#turn(async (vault) =>
      vault.read('verify-value', async (scope) => verifySecret(scope, environment, name, copy)),
    ).finally(() => copy.fill(0));
  }

  /**
   * Give a secret that is there a new value. Whoever may only rotate can do it, and cannot read the value back.
   * @throws UsageError also for a secret that is not there; ConcurrencyError CONFLICT; AccessDeniedError
   */
  async rotateSecret(name: string, options: RotateOptions): Promise<RotatedSecret> {
    checkOptions('rotateSecret', options);
    checkText('the name of a secret', name);
    const environment = this.#meant(options);
    const { ifVersion = null } = options;
    const given = givenValue(options);
    const {
      name: rotated,
      environment: where,
      version,
    } = await this.#turn(async (vault) => {
      const value = typeof given === 'string' ? await generate(vault.place.random, given) : given;
      try {
        return await vault.write('rotate', async (scope) =>
          putSecret(scope, { environment, name, value, operation: 'rotate', ifVersion, mustExist: true }),
        );
      } finally {
        value.fill(0);
      }
    });
    return { name: rotated, environment: where, version };
  }

  /**
   * Metadata of secrets, in the order of their names; never values.
   * @param pattern a name, a folder, or a pattern with `*`, `?` and `**`; without it, all
   * @throws AccessDeniedError
   */
  async listSecrets(pattern?: string, options: ListOptions = {}): Promise<SecretInfo[]> {
    checkOptions('listSecrets', options);
    if (pattern !== undefined) checkText('the pattern', pattern);
    const { allEnvironments = false } = options;
    const environment = this.#meant(options);
    const wanted = { ...everything, environment, allEnvironments, pattern: pattern ?? null };
    return this.#turn(async (vault) => vault.read('ls', async (scope) => listInfo(scope, wanted)));
  }

  /** Wait for operations that have begun, wipe the keys and close the file. Values that were handed out stay. May be called again. */
  async close(): Promise<void> {
    this.#closed ??= this.#last.then(() => {
      this.#vault.close();
    });
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #meant({ environment }: VerifyOptions): string | null {
    return environment ?? this.#environment;
  }

  async #get(name: string, options: GetSecretOptions): Promise<GotSecret> {
    checkText('the name of a secret', name);
    const { version = null, field = null, allowExpired = false } = options;
    const wanted = { environment: this.#meant(options), name, version, field, allowExpired };
    return this.#turn(async (vault) => vault.read('get', async (scope) => getSecret(scope, wanted)));
  }

  /** One operation at a time: they share keys and the open file. @throws UsageError once the vault is closed */
  async #turn<T>(work: (vault: OpenVault) => Promise<T>): Promise<T> {
    if (this.#closed !== null) throw new UsageError('the vault is closed', { hint: 'open it again' });
    const done = this.#last.then(async () => work(this.#vault));
    this.#last = done.catch(() => undefined);
    return known(async () => done);
  }
}

/** What a secret is to become: bytes, copied at once, since the caller may wipe its own before the turn comes; or a generator. */
function givenValue(options: object): Uint8Array<ArrayBuffer> | string {
  const { value, generate: spec } = options as { readonly value?: unknown; readonly generate?: string };
  if (spec !== undefined && value !== undefined)
    throw new UsageError('value and generate exclude each other');
  if (spec !== undefined) return spec;
  if (value === undefined) throw new UsageError('no value was given', { hint: 'give a value, or generate' });
  const copy = copyOfBytes('the new value', value);
  if (copy.length === 0) throw new UsageError('the new value is empty');
  return copy;
}

/** No filter. */
const everything = {
  removed: false,
  type: null,
  tags: new Map<string, string>(),
  expiringBefore: null,
  expired: false,
  due: false,
};

/** What nobody foresaw is an error with a code like any other. */
async function known<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof SecretsManagerError) throw cause;
    throw new SecretsManagerError('INTERNAL', 'internal error', { cause, hint: 'report it, with its cause' });
  }
}
