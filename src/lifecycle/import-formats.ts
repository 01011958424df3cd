/** Files to import: dotenv and JSON to names, values and the variables that they came from. */
import { parseEnv } from 'node:util';
import { UsageError } from '../errors.ts';
import { parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';
import { encodeJsonText, isRawNumber, parseJsonText } from './json-text.ts';

export const importFormats = ['dotenv', 'json'] as const;

export type ImportFormat = (typeof importFormats)[number];

export interface ParsedItem {
  readonly name: string;
  readonly value: Bytes;
  readonly variable: string;
}

export interface ParsedImport {
  readonly format: ImportFormat;
  readonly items: readonly ParsedItem[];
  /** What was passed over, by line; never a value. */
  readonly warnings: readonly string[];
}

const variableForm = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** @throws UsageError if the file cannot be understood */
export function parseImport(bytes: Bytes, format: ImportFormat | 'auto', file: string): ParsedImport {
  let text: string;
  try {
    text = parseUtf8(bytes).replace(/^\ufeff/, '');
  } catch {
    throw new UsageError(`${file} is not UTF-8 text`);
  }
  const chosen =
    format === 'auto' ? (file.endsWith('.json') || /^\s*\{/.test(text) ? 'json' : 'dotenv') : format;
  return chosen === 'json' ? parseJsonFile(text, file) : parseDotenv(text, file);
}

function item(name: string, value: string): ParsedItem {
  return { name, value: utf8(value.toWellFormed()), variable: variableForm.test(name) ? name : '' };
}

function parseJsonFile(text: string, file: string): ParsedImport {
  const root = parseJsonText(text, file);
  if (typeof root !== 'object' || root === null || Array.isArray(root) || isRawNumber(root))
    throw new UsageError(`${file} is not a JSON object`);
  const warnings: string[] = [];
  const items: ParsedItem[] = [];
  for (const [name, value] of Object.entries(root) as [string, unknown][]) {
    if (value === null) warnings.push(`${JSON.stringify(name)} is null and was passed over`);
    else items.push(item(name, typeof value === 'string' ? value : encodeJsonText(value)));
  }
  return { format: 'json', items, warnings };
}

/** The runtime's own dotenv parser; lines that it passes over in silence, and names set twice, are told. */
function parseDotenv(text: string, file: string): ParsedImport {
  const parsed = Object.entries(parseEnv(text)).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const warnings: string[] = [];
  const seen = new Set<string>();
  let quote: string | null = null;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (quote !== null) {
      if (line.includes(quote)) quote = null;
      continue;
    }
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, mark] = /^\s*(?:export\s+)?([^\s=#]+)\s*=\s*(["'`]?)/.exec(line) ?? [];
    if (name === undefined) {
      warnings.push(`line ${index + 1} of ${file} is not an assignment and was passed over`);
      continue;
    }
    if (seen.has(name)) warnings.push(`${JSON.stringify(name)} is set twice in ${file}; the last one counts`);
    seen.add(name);
    const rest = line
      .slice(line.indexOf('=') + 1)
      .trimStart()
      .slice(1);
    if (mark !== undefined && mark !== '' && !rest.includes(mark)) quote = mark;
  }
  if (quote !== null) throw new UsageError(`${file} ends inside a quoted value`);
  return { format: 'dotenv', items: parsed.map(([name, value]) => item(name, value)), warnings };
}
