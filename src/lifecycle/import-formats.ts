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

const assignment = /^(?<start>\s*(?:export\s+)?(?<name>[^\s=#]+)\s*=\s*)(?<rest>.*)$/u;

/** The runtime's own dotenv parser; lines that it passes over in silence, and names set twice, are told. */
function parseDotenv(text: string, file: string): ParsedImport {
  const warnings: string[] = [];
  const seen = new Set<string>();
  const lines: string[] = [];
  let quote = '';
  for (const [index, line] of text.split(/\r?\n/u).entries()) {
    if (quote !== '' || /^\s*(#|$)/u.test(line)) {
      lines.push(line);
      if (quote !== '' && line.includes(quote)) quote = '';
      continue;
    }
    const { start, name, rest } = assignment.exec(line)?.groups ?? {};
    if (start === undefined || name === undefined || rest === undefined) {
      warnings.push(`line ${index + 1} of ${file} is not an assignment and was passed over`);
      continue;
    }
    if (seen.has(name)) warnings.push(`${JSON.stringify(name)} is set twice in ${file}; the last one counts`);
    seen.add(name);
    const mark = rest[0] ?? '';
    const quoted = ['"', "'", '`'].includes(mark);
    if (quoted && !rest.slice(1).includes(mark)) quote = mark;
    lines.push(quoted ? line : start + withHashesQuoted(rest));
  }
  if (quote !== '') throw new UsageError(`${file} ends inside a quoted value`);
  const parsed = Object.entries(parseEnv(lines.join('\n')));
  const items = parsed.flatMap(([name, value]) => (value === undefined ? [] : [item(name, value)]));
  return { format: 'dotenv', items, warnings };
}

/**
 * An unquoted value. `#` begins a comment only after white space, as in a shell: `a#b` is a value, and `vault:///db#password` a
 * reference. The runtime's parser cuts at any `#` outside of quotes, so such a value is quoted for it.
 */
function withHashesQuoted(rest: string): string {
  const value = rest.replace(/(^|\s+)#.*$/u, '').trimEnd();
  const quote = ["'", '`'].find((mark) => !value.includes(mark));
  return value.includes('#') && quote !== undefined ? quote + value + quote : rest;
}
