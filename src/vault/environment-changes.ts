/** Environments that are made, removed or get new keys by one change of access, and what stands sealed in them. docs/format.md section 3. */
import { UsageError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import { closeEnvironmentKeys, type EnvironmentKeys } from '../access/environment-key.ts';
import type { Carry } from '../format/catalog.ts';
import type { EnvironmentEntry, PrincipalEntry } from '../format/lines.ts';
import { withSealedPolicy, withSealKey, type PolicyChange } from './environment-entries.ts';
import type { BuiltEnvironment, WriteStamp } from './environment-layout.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import { withExposures } from './exposure.ts';
import { makeEnvironment, type MadeEnvironment } from './new-environment.ts';
import { rekeyEnvironment, type EndedRotation } from './rekey.ts';
import type { LeftOut } from './settle-changes.ts';

interface Ports {
  readonly authority: Authority;
  readonly stamp: WriteStamp;
  readonly reader: (entry: EnvironmentEntry) => Promise<EnvironmentReader>;
}

export class EnvironmentChanges {
  readonly #ports: Ports;
  #entries: readonly EnvironmentEntry[];
  /** Environments that get new keys, and who is to be remembered as having had the old ones: whether they could read. */
  readonly #rekey = new Map<string, Map<string, boolean>>();
  readonly #policyChanges = new Map<string, readonly PolicyChange[]>();
  readonly #made = new Map<string, MadeEnvironment>();
  /** What did not hold when environments got new keys. */
  readonly setAside: LeftOut[] = [];
  /** Rotations that end with whoever began them. */
  readonly ended: EndedRotation[] = [];

  constructor(ports: Ports, entries: readonly EnvironmentEntry[]) {
    this.#ports = ports;
    this.#entries = entries;
  }

  get entries(): readonly EnvironmentEntry[] {
    return this.#entries;
  }

  /** Ids of environments that get new keys. */
  get rekeyed(): string[] {
    return [...this.#rekey.keys()];
  }

  async add(stamp: WriteStamp, name: string): Promise<EnvironmentEntry> {
    if (this.#entries.some((entry) => entry.name === name))
      throw new UsageError(`there is an environment ${name} already`);
    const made = await makeEnvironment(this.#ports.authority.domain, stamp, name);
    this.#made.set(made.entry.id, made);
    this.#entries = [...this.#entries, made.entry];
    return made.entry;
  }

  remove(id: string): void {
    this.#entries = this.#entries.filter((entry) => entry.id !== id);
    this.#rekey.delete(id);
  }

  rekey(id: string): void {
    this.#rekey.set(id, this.#rekey.get(id) ?? new Map<string, boolean>());
  }

  /** Remember with an environment that gets new keys who had those before. @param read whether they could read */
  remember(environment: string, principal: string, read: boolean): void {
    const known = this.#rekey.get(environment);
    known?.set(principal, read || known.get(principal) === true);
  }

  /** Change the policy that stands sealed in an environment of before. */
  changeSealedPolicy(environment: string, change: PolicyChange): void {
    this.#policyChanges.set(environment, [...(this.#policyChanges.get(environment) ?? []), change]);
  }

  /** Whether it has keys that nobody had before. */
  isNew(id: string): boolean {
    return this.#made.has(id);
  }

  async keysOf(entry: EnvironmentEntry): Promise<EnvironmentKeys> {
    return this.#made.get(entry.id)?.keys ?? (await this.#ports.reader(entry)).keys;
  }

  /**
   * Read and seal what gets new keys. @param stays whether somebody is a principal from now on
   * @returns what is made, by id
   */
  async build(
    stamp: WriteStamp,
    stays: (principal: string) => boolean,
  ): Promise<Map<string, BuiltEnvironment>> {
    for (const [id, exposed] of this.#rekey) {
      const present = this.#entries.find((entry) => entry.id === id);
      if (present === undefined || this.#made.has(id)) continue;
      const until = this.#ports.stamp.time;
      const exposures = [...exposed].map(([principal, read]) => ({ principal, read, until }));
      const reader = await this.#ports.reader(present);
      const policy = (before: Carry['policy']): Carry['policy'] =>
        this.#changedPolicy(id, withExposures(before, exposures));
      const made = await rekeyEnvironment(reader, stamp, policy, stays);
      this.setAside.push(...made.setAside);
      this.ended.push(...made.ended);
      this.#made.set(id, made);
      this.#replace(made.entry);
    }
    for (const id of this.#policyChanges.keys()) {
      const entry = this.#entries.find((one) => one.id === id);
      if (entry === undefined || this.#made.has(id)) continue;
      const { keys } = await this.#ports.reader(entry);
      const { authority } = this.#ports;
      this.#replace(
        await withSealedPolicy(authority.domain, stamp.random, entry, keys, (policy) =>
          this.#changedPolicy(id, policy),
        ),
      );
    }
    return new Map([...this.#made].map(([id, { built }]) => [id, built]));
  }

  /** Public keys of environments that one of these cannot read but add to. */
  async completeSealKeys(principals: readonly PrincipalEntry[]): Promise<void> {
    const { domain } = this.#ports.authority;
    this.#entries = await Promise.all(
      this.#entries.map(async (entry) =>
        withSealKey(domain, entry, principals, async () => this.keysOf(entry)),
      ),
    );
  }

  /** Wipe the keys that were made. */
  close(): void {
    for (const { keys } of this.#made.values()) closeEnvironmentKeys(keys);
  }

  #replace(entry: EnvironmentEntry): void {
    this.#entries = this.#entries.map((other) => (other.id === entry.id ? entry : other));
  }

  #changedPolicy(environment: string, policy: Carry['policy']): Carry['policy'] {
    return (this.#policyChanges.get(environment) ?? []).reduce((before, change) => change(before), policy);
  }
}
