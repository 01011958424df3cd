/**
 * Shapes of configuration files: what a node must be, with the place of what is wrong in the message, and never the value that is there.
 *
 * Closed like those of the vault's format (src/format/schema.ts), but for people: members may come in any order and be left out.
 */
import { limits } from '../format/limits.ts';
import { labelProblem } from '../format/name.ts';
import { shownKey, type ConfigText, type JsonNode } from './json-tree.ts';

/** Checks a node at a path such as `required."db/password".type`. @throws UsageError */
export type Shape<T> = (node: JsonNode, path: string, source: ConfigText) => T;

type Shaped<S> = S extends Shape<infer T> ? T : never;

/** Why a text will not do, or `null`. */
export type Problem = (text: string) => string | null;

/** Largest `vault.json` and `config.json`, in bytes. */
export const configBound = 256 * 1024;

/** Bytes of a path, or of anything like it. */
export const pathBound = 8_192;

/** The path of a member. */
export function below(path: string, name: string): string {
  const step = /^[A-Za-z_$][\w$-]*$/.test(name) ? name : shownKey(name);
  return path === '' ? step : `${path}.${step}`;
}

function refuse(source: ConfigText, node: JsonNode, path: string, wanted: string): never {
  return source.refuse(node.at, `${path === '' ? 'all of it' : path} must be ${wanted}`);
}

export function text(most: number, problem: Problem = () => null): Shape<string> {
  return (node, path, source) => {
    if (node.type !== 'string') return refuse(source, node, path, 'a text');
    if (Buffer.byteLength(node.value) > most) refuse(source, node, path, `at most ${most} bytes`);
    const reason = problem(node.value);
    return reason === null ? node.value : source.refuse(node.at, `${path} will not do: ${reason}`);
  };
}

export function oneOf<const T extends string>(...words: readonly T[]): Shape<T> {
  return (node, path, source) =>
    words.find((one) => node.type === 'string' && node.value === one) ??
    refuse(source, node, path, `one of ${words.join(', ')}`);
}

export const flag: Shape<boolean> = (node, path, source) =>
  node.type === 'boolean' ? node.value : refuse(source, node, path, 'true or false');

/** Members by their names, none of which need be there; any other is refused. */
export function object<const M extends Readonly<Record<string, Shape<unknown>>>>(
  known: M,
): Shape<{ readonly [K in keyof M]?: Shaped<M[K]> }> {
  const shapes = new Map(Object.entries(known));
  return (node, path, source) => {
    if (node.type !== 'object') return refuse(source, node, path, 'an object');
    const values: [string, unknown][] = [];
    for (const [name, { at, value }] of node.members) {
      const shape = shapes.get(name);
      const place = path === '' ? '' : ` in ${path}`;
      if (shape === undefined) {
        return source.refuse(
          at,
          `there is no key ${shownKey(name)}${place}`,
          `the keys${place} are ${[...shapes.keys()].join(', ')}`,
        );
      }
      values.push([name, shape(value, below(path, name), source)]);
    }
    return Object.fromEntries(values) as { [K in keyof M]?: Shaped<M[K]> };
  };
}

/** Members under names of the writer's choice, at least one. */
export function mapOf<T>(what: string, nameProblem: Problem, shape: Shape<T>): Shape<ReadonlyMap<string, T>> {
  return (node, path, source) => {
    if (node.type !== 'object') return refuse(source, node, path, 'an object');
    if (node.members.size === 0) source.refuse(node.at, `${path} is empty: leave it out`);
    const values = new Map<string, T>();
    for (const [name, { at, value }] of node.members) {
      const reason = nameProblem(name);
      if (reason !== null) source.refuse(at, `${shownKey(name)} in ${path} cannot be ${what}: ${reason}`);
      values.set(name, shape(value, below(path, name), source));
    }
    return values;
  };
}

/** One or more, none twice. */
export function listOf(shape: Shape<string>): Shape<readonly string[]> {
  return (node, path, source) => {
    if (node.type !== 'array') return refuse(source, node, path, 'a list');
    if (node.items.length === 0) source.refuse(node.at, `${path} is empty: leave it out`);
    const values = node.items.map((item, index) => shape(item, `${path}[${index}]`, source));
    const twice = values.findIndex((value, index) => values.indexOf(value) !== index);
    if (twice >= 0) source.refuse(node.items[twice]?.at ?? node.at, `${path} has the same one twice`);
    return values;
  };
}

export const notEmpty: Problem = (value) => (value === '' ? 'it is empty' : null);

/** The name of an environment or of a principal. */
export const label = text(limits.label, labelProblem);
export const path = text(pathBound, (value) =>
  value.includes('\0') ? 'it has a NUL character' : notEmpty(value),
);
/** `$schema`, for editors. */
export const schemaReference = text(pathBound);
