/** The JSON Schemas of docs/schemas/, compiled by ajv at its strictest. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020, type ErrorObject, type SchemaObject } from 'ajv/dist/2020.js';

const folder = path.resolve(import.meta.dirname, '../../docs/schemas');
const ending = '.schema.json';
/** A choice between members that a schema names elsewhere is `required` alone, which the one option left out would refuse. */
const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true });

export function schemaNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));
}

export function hasSchema(name: string): boolean {
  return existsSync(path.join(folder, name + ending));
}

export function readSchema(name: string): SchemaObject {
  return JSON.parse(readFileSync(path.join(folder, name + ending), 'utf8')) as SchemaObject;
}

/** What a value has against a schema, one line each; none if it is as the schema says. */
export function problemsWith(name: string, value: unknown): string[] {
  const validate = ajv.getSchema(name) ?? ajv.addSchema(readSchema(name), name).getSchema(name);
  if (validate === undefined) throw new Error(`no schema ${name}`);
  if (validate(value)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message = '', params }: ErrorObject) =>
      `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}
