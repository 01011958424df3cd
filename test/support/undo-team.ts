/** A vault with a secret or two in production, and several who may do different things there: for `undo` where it is refused. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { placeKey } from '../../src/vault/memory.ts';
import type { UndoOptions } from '../../src/vault/operations/undo.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { failureOf } from './failure.ts';
import type { SampleVault } from './sample-vault.ts';
import { add, as, asOwner, teamVault } from './team.ts';
import { changesIn, undo } from './undoing.ts';

export const environment = 'production';
export const change = changesIn(environment);

export type Who = 'ada' | 'bob' | 'rotator' | 'blind' | 'keeper';

export interface UndoTeam extends SampleVault {
  readonly tokens: Readonly<Record<Who, string>>;
  readonly by: <T>(who: Who, work: (vault: Vault) => Promise<T>) => Promise<T>;
}

export async function undoTeam(): Promise<UndoTeam> {
  const team = await teamVault(['staging', environment]);
  const tokens = await asOwner(team, async (owner) => {
    await change.put(owner, 'db', 'one');
    await change.put(owner, 'cache', 'one');
    const may = async (name: string, can: string): Promise<string> =>
      add(owner, name, { can, env: environment });
    return {
      ada: await may('ada', 'read,write,delete'),
      bob: await may('bob', 'read,write,delete'),
      rotator: await may('rotator', 'read,rotate'),
      blind: await may('blind', 'list,write,delete'),
      keeper: await may('keeper', 'read,write'),
    };
  });
  return { ...team, tokens, by: async (who, work) => as(team.place, tokens[who], work) };
}

/** Code, message and exit status of an undo that is refused, and changes nothing in the vault. */
export async function refused(
  vault: Vault,
  more?: Partial<UndoOptions>,
): Promise<readonly [string, string, number]> {
  const file = (): string => readFileSync(vault.place.path, 'latin1');
  const before = file();
  const { code, message, exitCode } = await failureOf(undo(vault, more));
  expect(file() === before, 'the vault is as it was').toBe(true);
  return [code, message, exitCode];
}

/** The file of what is kept for `undo`. */
export async function keptOf({ identity, place }: Vault): Promise<string> {
  return path.join(place.stateFolder ?? '', 'undo', `${await placeKey(place)}-${identity.principal}.json`);
}
