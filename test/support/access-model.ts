/** Who may do what in a vault, as a plain table: what the real thing is held against. */
import type { EnvironmentLevel } from '../../src/access/rights.ts';

/** Exit status of what is refused. */
export type Outcome = 'done' | 2 | 3 | 5 | 8;

interface Secret {
  versions: { readonly value: string; readonly author: string }[];
  removed: boolean;
}

interface Principal {
  admin: boolean;
  rights: Map<string, Set<EnvironmentLevel>>;
}

const everything: readonly EnvironmentLevel[] = ['list', 'read', 'rotate', 'write', 'delete'];

export class AccessModel {
  readonly principals = new Map<string, Principal>([['owner', { admin: true, rights: new Map() }]]);
  readonly environments = new Map<string, Map<string, Secret>>();

  constructor(environments: readonly string[]) {
    for (const name of environments) this.environments.set(name, new Map());
  }

  #rights(who: string, environment: string): ReadonlySet<EnvironmentLevel> {
    const principal = this.principals.get(who);
    if (principal?.admin === true) return new Set(everything);
    return principal?.rights.get(environment) ?? new Set();
  }

  /** What somebody gets who reads the current value: it, after `=`, or an exit status. */
  read(who: string, environment: string, name: string): `=${string}` | Outcome {
    const secrets = this.environments.get(environment);
    const rights = this.#rights(who, environment);
    if (secrets === undefined) return 2;
    if (rights.size === 0) return 5;
    const secret = secrets.get(name);
    if (secret === undefined || secret.removed) return 3;
    return rights.has('read') ? `=${secret.versions.at(-1)?.value ?? ''}` : 5;
  }

  /** Versions with their authors, oldest first. */
  history(environment: string, name: string): readonly (readonly [string, string])[] {
    const secret = this.environments.get(environment)?.get(name);
    if (secret === undefined || secret.removed) return [];
    return secret.versions.map(({ value, author }) => [value, author]);
  }

  /** Whether somebody may change anything at all there; else why not. */
  #changes(who: string, environment: string): Outcome {
    if (!this.environments.has(environment)) return 2;
    const rights = this.#rights(who, environment);
    return rights.has('write') || rights.has('rotate') || rights.has('delete') ? 'done' : 5;
  }

  put(who: string, environment: string, name: string, value: string): Outcome {
    const may = this.#changes(who, environment);
    if (may !== 'done') return may;
    if (!this.#rights(who, environment).has('write')) return 5;
    const secrets = this.environments.get(environment);
    const secret = secrets?.get(name) ?? { versions: [], removed: false };
    secret.removed = false;
    secret.versions.push({ value, author: who });
    secrets?.set(name, secret);
    return 'done';
  }

  rotate(who: string, environment: string, name: string, value: string): Outcome {
    const may = this.#changes(who, environment);
    if (may !== 'done') return may;
    const secret = this.environments.get(environment)?.get(name);
    if (secret === undefined || secret.removed) return 3;
    const rights = this.#rights(who, environment);
    if (!rights.has('write') && !rights.has('rotate')) return 5;
    secret.versions.push({ value, author: who });
    return 'done';
  }

  remove(who: string, environment: string, name: string): Outcome {
    const may = this.#changes(who, environment);
    if (may !== 'done') return may;
    if (!this.#rights(who, environment).has('delete')) return 5;
    const secret = this.environments.get(environment)?.get(name);
    if (secret === undefined || secret.removed) return 3;
    secret.removed = true;
    return 'done';
  }

  purge(who: string, environment: string, name: string): Outcome {
    const may = this.#changes(who, environment);
    if (may !== 'done') return may;
    if (!this.#rights(who, environment).has('delete')) return 5;
    return this.environments.get(environment)?.delete(name) === true ? 'done' : 3;
  }

  restore(who: string, environment: string, name: string): Outcome {
    const may = this.#changes(who, environment);
    if (may !== 'done') return may;
    const secret = this.environments.get(environment)?.get(name);
    if (secret === undefined) return 3;
    if (!secret.removed) return 2;
    if (!this.#rights(who, environment).has('write')) return 5;
    secret.removed = false;
    return 'done';
  }

  #administers(who: string): boolean {
    return this.principals.get(who)?.admin === true;
  }

  add(who: string, name: string, levels: readonly EnvironmentLevel[], environment: string): Outcome {
    if (!this.#administers(who)) return 5;
    if (this.principals.has(name) || !this.environments.has(environment)) return 2;
    this.principals.set(name, {
      admin: false,
      rights: new Map([[environment, new Set(['list', ...levels])]]),
    });
    return 'done';
  }

  grant(who: string, name: string, levels: readonly EnvironmentLevel[], environment: string): Outcome {
    if (!this.#administers(who)) return 5;
    const principal = this.principals.get(name);
    if (principal === undefined || principal.admin || !this.environments.has(environment)) return 2;
    const had = principal.rights.get(environment) ?? [];
    principal.rights.set(environment, new Set([...had, 'list', ...levels]));
    return 'done';
  }

  revoke(who: string, name: string, levels: readonly EnvironmentLevel[], environment: string): Outcome {
    if (!this.#administers(who)) return 5;
    const principal = this.principals.get(name);
    if (principal === undefined || principal.admin || !this.environments.has(environment)) return 2;
    const had = principal.rights.get(environment);
    if (had === undefined || !levels.some((level) => had.has(level))) return 2;
    if (levels.includes('list')) principal.rights.delete(environment);
    else for (const level of levels) had.delete(level);
    return 'done';
  }

  promote(who: string, name: string): Outcome {
    if (!this.#administers(who)) return 5;
    const principal = this.principals.get(name);
    if (principal === undefined || principal.admin) return 2;
    principal.admin = true;
    principal.rights.clear();
    return 'done';
  }

  demote(who: string, name: string): Outcome {
    if (!this.#administers(who)) return 5;
    const principal = this.principals.get(name);
    if (principal?.admin !== true || who === name) return 2;
    principal.admin = false;
    return 'done';
  }

  removePrincipal(who: string, name: string): Outcome {
    if (!this.#administers(who)) return 5;
    if (who === name) return 2;
    return this.principals.delete(name) ? 'done' : 2;
  }

  reissue(who: string, name: string): Outcome {
    if (!this.#administers(who)) return 5;
    return who === name || !this.principals.has(name) ? 2 : 'done';
  }

  addEnvironment(who: string, name: string): Outcome {
    if (!this.#administers(who)) return 5;
    const parent = name.split('/').slice(0, -1).join('/');
    if (parent !== '' && !this.environments.has(parent)) return 2;
    if (this.environments.has(name)) return 8;
    this.environments.set(name, new Map());
    return 'done';
  }

  removeEnvironment(who: string, name: string): Outcome {
    if (!this.#administers(who)) return 5;
    if (!this.environments.has(name)) return 2;
    if ([...this.environments.keys()].some((other) => other.startsWith(`${name}/`))) return 5;
    if (this.environments.size === 1) return 5;
    this.environments.delete(name);
    for (const { rights } of this.principals.values()) rights.delete(name);
    return 'done';
  }

  rekey(who: string, name: string): Outcome {
    if (!this.#administers(who)) return 5;
    return this.environments.has(name) ? 'done' : 2;
  }
}
