import type { DatabaseFields } from '../lifecycle/database-url.ts';
import type { SecretInfo } from '../vault/secret-info.ts';
import { inspected, redacted } from './secret.ts';

/** What is in a secret of the type database-credential. Printed, inspected or made JSON it shows no password. */
export class DatabaseCredential {
  readonly info: SecretInfo;
  /** As it is stored, such as `postgres`; `null` where the secret does not say. */
  readonly engine: string | null;
  readonly host: string;
  readonly port: number | null;
  readonly database: string | null;
  readonly username: string;
  readonly #password: string;

  constructor(info: SecretInfo, fields: DatabaseFields) {
    this.info = info;
    this.engine = fields.engine;
    this.host = fields.host;
    this.port = fields.port;
    this.database = fields.database;
    this.username = fields.username;
    this.#password = fields.password;
  }

  /** May be empty. A string cannot be wiped. */
  get password(): string {
    return this.#password;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): unknown {
    const { info, engine, host, port, database, username } = this;
    return { info, engine, host, port, database, username, password: redacted };
  }

  [inspected](): unknown {
    return this.toJSON();
  }
}
