/** A console without a terminal that is driven by a test, and the secrets on it. */
import type { ConsoleData, SecretRow, ShownValue } from '../../src/terminal/console/data.ts';
import type { Effect, Happening } from '../../src/terminal/console/happening.ts';
import { begin, update } from '../../src/terminal/console/model.ts';
import { selected, type State } from '../../src/terminal/console/state.ts';

export function secret(name: string, more: Partial<SecretRow> = {}): SecretRow {
  return {
    key: `development\n${name}`,
    name,
    environment: 'development',
    type: 'password',
    version: 1,
    updated: '2026-01-01',
    expires: null,
    due: null,
    hook: null,
    isOverdue: false,
    expiry: null,
    remarks: [],
    ...more,
  };
}

export const data = (...secrets: readonly SecretRow[]): ConsoleData => ({
  vault: '/v',
  principal: 'ada',
  secrets,
  due: [],
  expiring: [],
  problem: null,
});

const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'];
export const many = data(...letters.map((name) => secret(name)));

export class Value implements ShownValue {
  readonly bytes = new Uint8Array([120]);
  readonly version: number;
  isWiped = false;

  constructor(version = 1) {
    this.version = version;
  }

  wipe(): void {
    this.isWiped = true;
  }
}

/** A console that is driven, and does as it wants done what can be done without a vault. */
export class Driven {
  state: State;
  effects: Effect[] = [];

  constructor(of: ConsoleData) {
    const { state, effects } = begin(of);
    this.state = state;
    this.effects.push(...effects);
  }

  happen(happening: Happening): this {
    const { state, effects } = update(this.state, happening);
    this.state = state;
    this.effects.push(...effects);
    for (const effect of effects) if (effect.type === 'wipe') effect.value.wipe();
    return this;
  }

  press(...keys: readonly string[]): this {
    for (const key of keys) this.happen({ type: 'key', key });
    return this;
  }

  /** What it wanted since the last time. */
  wanted(): string[] {
    return this.effects
      .splice(0)
      .map((effect) => ('secret' in effect ? `${effect.type} ${effect.secret?.name ?? 'all'}` : effect.type));
  }

  get name(): string | undefined {
    return selected(this.state)?.name;
  }

  reveal(value = new Value()): Value {
    this.press('v').happen({ type: 'revealed', key: selected(this.state)?.key ?? '', value });
    this.happen({ type: 'ended', work: 'opening' });
    return value;
  }
}
