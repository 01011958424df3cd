/**
 * `vault` as a library, for programs that embed it: open a vault that the command line made, read, check and rotate its secrets.
 *
 *   import { Vault, SecretNotFoundError } from 'vault';
 *   await using vault = await Vault.open({ path: '.vault/secrets.vault', token: process.env.VAULT_ACCESS_TOKEN });
 *   const secret = await vault.getSecret('stripe/key', { environment: 'production' });
 *
 * The guide is docs/library.md.
 */
/// <reference lib="esnext.disposable" preserve="true" />
export {
  AccessDeniedError,
  AuditError,
  BackendError,
  ConcurrencyError,
  DeclinedError,
  EncryptionError,
  IntegrityError,
  InterruptedError,
  SecretExpiredError,
  SecretNotFoundError,
  SecretsManagerError,
  UnlockError,
  UsageError,
  outcomes,
  type ErrorCode,
  type ErrorDetails,
} from './errors.ts';
export type { SecretType } from './format/secret-type.ts';
export { DatabaseCredential } from './library/database-credential.ts';
export { maskSecret } from './library/mask-secret.ts';
export type {
  GetOptions,
  GetSecretOptions,
  ListOptions,
  OpenOptions,
  RotateOptions,
  VerifyOptions,
} from './library/options.ts';
export { Secret } from './library/secret.ts';
export { Vault, type RotatedSecret } from './library/vault.ts';
export type { SecretInfo } from './vault/secret-info.ts';
