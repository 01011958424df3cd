/**
 * Hashes that secrets go by in the audit log, while it is read from its end: before a rename a secret had another name, and before it was
 * made, its name was another secret's.
 */
import type { SignedRecord } from '../../format/audit-record.ts';

export class SecretNames {
  /** Secret by hash, by environment. */
  readonly #names = new Map<string, Map<string, string>>();

  /** @param hashes of the present name, by each key of its environment */
  add(environment: string, secret: string, hashes: readonly string[]): void {
    const own = this.#names.get(environment) ?? new Map<string, string>();
    for (const hash of hashes) own.set(hash, secret);
    this.#names.set(environment, own);
  }

  /** The secret that goes by this hash here, or `null`. */
  secretOf(environment: string, hash: string): string | null {
    return this.#names.get(environment)?.get(hash) ?? null;
  }

  /** Every hash that is looked for now. */
  *hashes(): Generator<string> {
    for (const own of this.#names.values()) yield* own.keys();
  }

  /** Go on to what is older than a write. */
  before({ op, detail, secrets }: SignedRecord): void {
    // An `undo` says of itself what it took back: `mv 12`, and `redo mv 13` where it was brought back.
    if (op === 'mv' || (op === 'undo' && /^(redo )?mv \d/.test(detail))) this.#beforeRename(secrets);
    // The first version makes the secret; a read that names it changes nothing.
    else
      for (const [environment, hash, version] of secrets) if (version === 1) this.#forget(environment, hash);
  }

  /** A rename names the old name first, as it was hashed with each key of the environment until then, and the new one last. */
  #beforeRename(secrets: SignedRecord['secrets']): void {
    const [environment, hash] = secrets.at(-1) ?? ['', ''];
    const old = secrets.slice(0, -1).map(([, one]) => one);
    const renamed = this.secretOf(environment, hash);
    for (const one of old) this.#forget(environment, one);
    if (renamed === null) return;
    this.#forget(environment, hash);
    this.add(environment, renamed, old);
  }

  /** Whatever goes by this hash has no name before. */
  #forget(environment: string, hash: string): void {
    const own = this.#names.get(environment);
    const secret = own?.get(hash);
    if (own === undefined || secret === undefined) return;
    for (const [one, whose] of own) if (whose === secret) own.delete(one);
  }
}
