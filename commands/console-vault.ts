/** The vault as the console works with it: each thing it does is the same operation, on record in the same way, as of the command for it. */
import { ConcurrencyError, SecretsManagerError, UsageError } from '../src/errors.ts';
import type { ChildKeeper } from '../src/exec/child-keeper.ts';
import type {
  ConsoleActions,
  ConsoleData,
  SecretRow,
  ShownValue,
  TrailRow,
} from '../src/terminal/console/data.ts';
import { safeText } from '../src/terminal/table.ts';
import type { AuditEntry } from '../src/vault/operations/audit.ts';
import { getSecret, type GotSecret } from '../src/vault/operations/get.ts';
import type { ListedName } from '../src/vault/operations/list.ts';
import { overviewOf, trailOf, type Overview, type OverviewSecret } from '../src/vault/operations/overview.ts';
import { putSecret } from '../src/vault/operations/put.ts';
import type { Vault } from '../src/vault/vault.ts';
import { auditRow } from './audit-format.ts';
import { toClipboard } from './clipboard.ts';
import type { Context } from './context.ts';
import { HookChoice } from './hook-choice.ts';
import { canBeMade, newValue } from './new-value.ts';
import { settlePrevious } from './previous.ts';
import { inTurns, type TurnTaker } from './turns.ts';
import { rotateInTwoPhases } from './two-phase.ts';

const trailLength = 100;

type Key = Pick<OverviewSecret, 'name' | 'environment'>;

const keyOf = ({ name, environment }: Key): string => `${environment}\n${name}`;

/** What to say of secrets that could not be listed. */
export function spoiledText(context: Context, spoiled: readonly ListedName[]): string {
  const names = spoiled.map(({ name, environment }) => `${context.shown(name)} in ${environment}`);
  return `not listed, for they do not hold together: ${names.join(', ')}`;
}

export class ConsoleVault implements ConsoleActions {
  readonly #context: Context;
  readonly #vault: Vault;
  readonly #turns: TurnTaker;
  readonly #keeper: ChildKeeper;
  #secrets: ReadonlyMap<string, OverviewSecret> = new Map();

  constructor(context: Context, vault: Vault, keeper: ChildKeeper) {
    this.#context = context;
    this.#keeper = keeper;
    this.#vault = vault;
    this.#turns = inTurns(vault);
  }

  async load(asked: boolean): Promise<ConsoleData> {
    const { place } = this.#vault;
    const spoiled: ListedName[] = [];
    const options = { environment: this.#environment, name: null, last: 0 };
    const look = async (scope: Parameters<typeof overviewOf>[0]): Promise<Overview> => {
      spoiled.length = 0;
      return overviewOf(scope, place, options, (secret) => spoiled.push(secret));
    };
    const overview = await (asked ? this.#turns.read('console', look) : this.#turns.goOn(look));
    this.#secrets = new Map(overview.secrets.map((secret) => [keyOf(secret), secret]));
    const { authority, identity } = this.#vault;
    const keysOf = (isWanted: (state: string) => boolean): string[] =>
      overview.due.filter(({ state }) => isWanted(state)).map(keyOf);
    const expiring = keysOf((state) => state !== 'overdue');
    const overdue = keysOf((state) => state === 'overdue');
    const expired = new Set(overview.due.filter(({ state }) => state === 'expired').map(keyOf));
    const urgent = { overdue: new Set(overdue), expiring: new Set(expiring), expired };
    return {
      vault: safeText(place.path),
      principal: safeText(authority.nameOf(identity.principal)),
      secrets: overview.secrets.map((secret) => this.#row(secret, urgent)),
      due: overdue,
      expiring,
      problem: spoiled.length === 0 ? null : spoiledText(this.#context, spoiled),
    };
  }

  /** Going on with what was put on record when the console began. */
  async trail(row: SecretRow | null): Promise<readonly TrailRow[]> {
    const whole = { name: null, environment: this.#environment };
    const { name, environment } = row === null ? whole : this.#secret(row);
    const { place } = this.#vault;
    const options = { environment, name, last: trailLength };
    return (await this.#turns.goOnWithLog(async (scope) => trailOf(scope, place, options))).map(trailRow);
  }

  async reveal(row: SecretRow): Promise<ShownValue> {
    const { value, info } = await this.#get(row);
    return {
      bytes: value.bytes,
      version: info.version,
      wipe: () => {
        value.wipe();
      },
    };
  }

  async copy(row: SecretRow): Promise<string> {
    const { value, info } = await this.#get(row);
    try {
      return await toClipboard(this.#context, value.bytes, info.name);
    } finally {
      value.wipe();
    }
  }

  async rotate(row: SecretRow): Promise<string> {
    const secret = this.#secret(row);
    const { name, environment, type } = secret;
    const { version: ifVersion } = row;
    if (secret.hook !== row.hook) throw new ConcurrencyError(`${row.name} has another hook by now`);
    const chosen = await new HookChoice(this.#context, this.#turns, {}).of(secret);
    if (!canBeMade(type, {}, chosen))
      throw new UsageError(`what it takes is not known for a ${type}`, {
        hint: '`vault rotate` with --command or --generate',
      });
    const { hook } = chosen;
    await settlePrevious(this.#context, this.#turns, this.#vault.place, hook, secret);
    const value = await newValue(this.#context, this.#turns, {}, secret, chosen, null);
    try {
      const options = { environment, name, value, ifVersion, graceUntil: null };
      const { version } = await (Object.keys(hook.steps).length > 0
        ? rotateInTwoPhases(this.#context, this.#turns, hook, options)
        : this.#turns.write('rotate', async (scope) =>
            putSecret(scope, { ...options, operation: 'rotate', mustExist: true }),
          ));
      return `${this.#context.shown(name)} rotated in ${environment}, version ${version}`;
    } finally {
      value.fill(0);
    }
  }

  async interrupt(): Promise<void> {
    await this.#keeper.end();
  }

  explain(error: unknown): string | null {
    if (!(error instanceof SecretsManagerError)) return null;
    return safeText(`${error.message}: ${error.hint}`);
  }

  get #environment(): string | null {
    return this.#context.globals.env ?? null;
  }

  /** @throws UsageError for one that is not there any more */
  #secret({ key, name }: SecretRow): OverviewSecret {
    const secret = this.#secrets.get(key);
    if (secret === undefined) throw new UsageError(`${name} is not there any more`);
    return secret;
  }

  async #get(row: SecretRow): Promise<GotSecret> {
    const { name, environment } = this.#secret(row);
    const options = { environment, name, version: null, field: null, allowExpired: false };
    const got = await this.#turns.read('get', async (scope) => getSecret(scope, options));
    this.#context.warnOfExpiry(got.info.name, got.daysLeft);
    return got;
  }

  #row(
    secret: OverviewSecret,
    urgent: Readonly<Record<'overdue' | 'expired' | 'expiring', ReadonlySet<string>>>,
  ): SecretRow {
    const key = keyOf(secret);
    const { name, environment, type, version, updated, expires, due, hook, rotating, description, tags } =
      secret;
    const day = (time: string | null): string | null => (time === null ? null : this.#context.day(time));
    const expiry = urgent.expired.has(key) ? 'expired' : 'expiring';
    return {
      key,
      name: safeText(name),
      environment: safeText(environment),
      type,
      version,
      updated: this.#context.day(updated),
      expires: day(expires),
      due: day(due),
      hook,
      isOverdue: urgent.overdue.has(key),
      expiry: urgent.expiring.has(key) ? expiry : null,
      remarks: [
        ...(rotating === null ? [] : [`being rotated by ${safeText(rotating)}`]),
        ...(description === '' ? [] : [safeText(description)]),
        ...Object.entries(tags).map(([tag, value]) => safeText(`${tag}=${value}`)),
      ],
    };
  }
}

function trailRow(entry: AuditEntry): TrailRow {
  const [, time = '', by = '', operation = '', result = '', environment = '', secrets = ''] =
    auditRow(entry).map(safeText);
  const { sequence, success } = entry;
  return { sequence, time, by, operation, result, failed: !success, environment, secrets };
}
