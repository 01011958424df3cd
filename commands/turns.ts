/** Who takes turns at an open vault. */
import type { Vault } from '../src/vault/vault.ts';

/** An open vault, or a queue before one. */
export type TurnTaker = Pick<Vault, 'read' | 'write' | 'goOn' | 'goOnWithLog'>;

/** Does what it is given one after the other, in this order. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

export function oneAtATime(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  };
}

/** An open vault does one thing at a time. */
export function inTurns(vault: Vault): TurnTaker {
  const turn = oneAtATime();
  return {
    read: async (op, work) => turn(async () => vault.read(op, work)),
    write: async (op, work) => turn(async () => vault.write(op, work)),
    goOn: async (work) => turn(async () => vault.goOn(work)),
    goOnWithLog: async (work) => turn(async () => vault.goOnWithLog(work)),
  };
}
