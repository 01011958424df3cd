/**
 * A project's `vault.json`: what it may hold, and which of it takes effect only once the user has accepted the file.
 * docs/schemas/vault-json.schema.json says the same to editors.
 */
import { secretTypes, type SecretType } from '../format/secret-type.ts';
import { limits } from '../format/limits.ts';
import { labelProblem, nameProblem } from '../format/name.ts';
import { ConfigText, parseJsonTree, type JsonNode } from './json-tree.ts';
import {
  below,
  label,
  listOf,
  mapOf,
  notEmpty,
  object,
  oneOf,
  path,
  pathBound,
  schemaReference,
  text,
  type Problem,
  type Shape,
} from './shape.ts';

/** A secret that the project's programs need. */
export interface RequiredSecret {
  readonly name: string;
  readonly type: SecretType | null;
  /** The variable that it becomes, before what is recorded with the secret. */
  readonly variable: string | null;
}

/** Settings of a provider by name. Which ones there are is each provider's affair. */
export interface ProviderEntry {
  readonly type: ProviderType;
  readonly settings: ReadonlyMap<string, Setting>;
}

export type Setting = string | number | boolean | readonly string[] | ReadonlyMap<string, string>;

export interface ProjectFile {
  readonly environment: string | null;
  /** As it stands there: relative to the folder of the file. */
  readonly vault: string | null;
  readonly required: readonly RequiredSecret[];
  readonly providers: ReadonlyMap<string, ProviderEntry>;
  /** Providers in the order in which they are asked, by environment or `default`. */
  readonly chain: ReadonlyMap<string, readonly string[]>;
}

const providerTypes = [
  'aws',
  'hashicorp',
  'azure',
  'gcp',
  'http',
  'env',
  'files',
  'local',
  'command',
] as const;

type ProviderType = (typeof providerTypes)[number];

const variable = text(128, (value) =>
  /^[A-Za-z_][A-Za-z0-9_]*$/.test(value) ? null : 'a variable is letters, digits and _, no digit first',
);

const requiredSecret = object({
  type: oneOf(...secretTypes),
  description: text(limits.description),
  variable,
});

const idProblem: Problem = (id) =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id) ? null : 'an ID is letters, digits and . _ -, at most 64';

const settingProblem: Problem = (name) =>
  /^[a-z][A-Za-z0-9]{0,63}$/.test(name) ? null : 'settings are letters and digits, beginning in lower case';

const settingText = text(pathBound);

const setting: Shape<Setting> = (node, place, source) => {
  if (node.type === 'string') return settingText(node, place, source);
  if (node.type === 'boolean') return node.value;
  if (node.type === 'number' && Number.isFinite(node.value)) return node.value;
  if (node.type === 'array') return listOf(settingText)(node, place, source);
  if (node.type === 'object') return mapOf('a name', notEmpty, settingText)(node, place, source);
  return source.refuse(
    node.at,
    `${place} must be a text, number, true or false, or a list or object of texts`,
  );
};

const providerType = oneOf(...providerTypes);

const provider: Shape<ProviderEntry> = (node, place, source) => {
  if (node.type !== 'object') return source.refuse(node.at, `${place} must be an object`);
  const type = node.members.get('type');
  if (type === undefined) return source.refuse(node.at, `${place} has no type`);
  const others = new Map([...node.members].filter(([name]) => name !== 'type'));
  const rest: JsonNode = { at: node.at, type: 'object', members: others };
  return {
    type: providerType(type.value, `${place}.type`, source),
    settings:
      others.size === 0
        ? new Map<string, Setting>()
        : mapOf('a setting', settingProblem, setting)(rest, place, source),
  };
};

const shape = object({
  $schema: schemaReference,
  environment: label,
  vault: path,
  required: mapOf('the name of a secret', nameProblem, requiredSecret),
  providers: mapOf('the ID of a provider', idProblem, provider),
  chain: mapOf('an environment', labelProblem, listOf(text(64, idProblem))),
});

/** A chain is made of providers that the file has. */
function checkChain(source: ConfigText, root: JsonNode, providers: ReadonlyMap<string, unknown>): void {
  const chain = root.type === 'object' ? root.members.get('chain')?.value : undefined;
  if (chain?.type !== 'object') return;
  for (const [name, { value }] of chain.members) {
    if (value.type !== 'array') continue;
    for (const [index, item] of value.items.entries()) {
      if (item.type === 'string' && !providers.has(item.value))
        source.refuse(item.at, `${below('chain', name)}[${index}] is not the ID of one of the providers`);
    }
  }
}

/** @param file its path, for messages. @throws UsageError with the line of what is wrong */
export function parseProjectFile(bytes: Uint8Array, file: string): ProjectFile {
  const source = new ConfigText(file, bytes);
  const root = parseJsonTree(source);
  const { environment, vault, required, ...found } = shape(root, '', source);
  const providers = found.providers ?? new Map<string, ProviderEntry>();
  const chain = found.chain ?? new Map<string, readonly string[]>();
  checkChain(source, root, providers);
  return {
    environment: environment ?? null,
    vault: vault ?? null,
    required: [...(required ?? [])].map(([name, wanted]) => ({
      name,
      type: wanted.type ?? null,
      variable: wanted.variable ?? null,
    })),
    providers,
    chain,
  };
}

/** The keys of a project's file that take effect only when the user has accepted the file. */
export function guardedKeys(project: ProjectFile): ('vault' | 'providers' | 'chain')[] {
  const { vault, providers, chain } = project;
  return [
    ...(vault === null ? [] : (['vault'] as const)),
    ...(providers.size === 0 ? [] : (['providers'] as const)),
    ...(chain.size === 0 ? [] : (['chain'] as const)),
  ];
}
