/** Hooks in the user's own configuration: `{ "ID": { "apply": "…", … } }`, or `{ "ID": { "use": "redis", … } }` for one that the program brings. */
import {
  hookCommands,
  hookIdProblem,
  hookProblem,
  hookText,
  isReadyHook,
  type HookDefinition,
} from '../format/hook.ts';
import type { JsonNode } from './json-tree.ts';
import { mapOf, notEmpty, text, type Problem, type Shape } from './shape.ts';

const line = text(hookText, notEmpty);
const anyName: Problem = notEmpty;

const definition: Shape<HookDefinition> = (node, place, source) => {
  const members = mapOf('a key', anyName, line)(node, place, source);
  const use = members.get('use');
  const rest = new Map([...members].filter(([name]) => name !== 'use'));
  const read = (): HookDefinition => {
    if (use !== undefined && !isReadyHook(use))
      return source.refuse(node.at, `${place}.use is no hook that this program brings`);
    if (use !== undefined) return { use, settings: rest };
    const known: readonly string[] = hookCommands;
    const other = [...rest.keys()].find((name) => !known.includes(name));
    if (other !== undefined)
      return source.refuse(
        node.at,
        `there is no key ${JSON.stringify(other)} in ${place}`,
        `the keys in ${place} are use, ${hookCommands.join(', ')}`,
      );
    return { use: null, commands: Object.fromEntries(rest) };
  };
  const found = read();
  const problem = hookProblem(found);
  return problem === null ? found : source.refuse(node.at, `${place} will not do: ${problem}`);
};

/** Hooks by their ids. */
export const hooks: Shape<ReadonlyMap<string, HookDefinition>> = (
  node: JsonNode,
  place,
  source,
): ReadonlyMap<string, HookDefinition> =>
  mapOf('the id of a hook', hookIdProblem, definition)(node, place, source);
