/** Every command has a published schema of its JSON output, or a reason not to have one; and the schemas leave nothing open. */
import { describe, expect, it } from 'vitest';
import { commandNames, otherSchemas, withoutJson } from '../support/json-commands.ts';
import { hasSchema, readSchema, schemaNames } from '../support/published-schemas.ts';

describe('commands', () => {
  const commands = commandNames();

  it('are found', () => {
    expect(commands).toEqual(expect.arrayContaining(['ls', 'exec', 'trust']));
    expect(commands).not.toContain('help');
  });

  it.each(commands)('%s has either a schema or a reason to have none', (name) => {
    const has = { schema: hasSchema(name), reason: name in withoutJson };
    expect(has, `docs/schemas/${name}.schema.json, or a line in test/support/json-commands.ts`).toEqual({
      schema: !has.reason,
      reason: !has.schema,
    });
  });

  it('are there for every schema and every reason', () => {
    const known = new Set([...commands, ...otherSchemas]);
    expect([...schemaNames(), ...Object.keys(withoutJson)].filter((name) => !known.has(name))).toEqual([]);
  });
});

interface Part {
  readonly path: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** A schema and all that it is made of. */
function parts(value: unknown, path: string): Part[] {
  if (typeof value !== 'object' || value === null) return [];
  const below = Object.entries(value).flatMap(([key, inner]) => parts(inner, `${path}/${key}`));
  return [{ path, schema: value as Part['schema'] }, ...below];
}

/** What is wrong with one part of the schema of an output. */
function looseEnds({ path, schema }: Part): string[] {
  const ends: string[] = [];
  const { additionalProperties, properties, required, oneOf } = schema;
  if (schema['type'] === 'object' && properties === undefined && typeof additionalProperties !== 'object')
    ends.push(`${path} is an object of anything`);
  if (schema['type'] === 'object' && properties !== undefined) {
    if (additionalProperties !== false) ends.push(`${path} allows members that it does not name`);
    const choices = Array.isArray(oneOf) ? (oneOf as { required?: string[] }[]) : [];
    const there = new Set([
      ...((required ?? []) as string[]),
      ...choices.flatMap((one) => one.required ?? []),
    ]);
    for (const name of Object.keys(properties as object))
      if (!there.has(name)) ends.push(`${path} may lack ${name}`);
  }
  if (schema['type'] === 'array' && typeof schema['items'] !== 'object')
    ends.push(`${path} is a list of anything`);
  return ends;
}

describe('schemas', () => {
  it.each(schemaNames())('%s says which draft it is, and what for', (name) => {
    expect(readSchema(name)).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: expect.any(String) as unknown,
      description: expect.any(String) as unknown,
    });
  });

  it.each(schemaNames().filter((name) => !['vault-json', 'config'].includes(name)))(
    '%s leaves nothing open: what is not named is not there, what is named is',
    (name) => {
      expect(parts(readSchema(name), '').flatMap(looseEnds)).toEqual([]);
    },
  );
});
