/** Audit records for people, for programs and for collectors. */
import type { AuditEntry } from '../src/vault/operations/audit.ts';
import { safeText } from '../src/terminal/table.ts';
import { escapedJson } from './report.ts';

const namesShown = 3;

export const auditHead = ['#', 'TIME', 'BY', 'OPERATION', 'RESULT', 'ENVIRONMENT', 'SECRET', 'FROM'];

export function auditRow(entry: AuditEntry): string[] {
  return [
    String(entry.sequence),
    `${entry.time.slice(0, 10)} ${entry.time.slice(11, 19)}Z`,
    entry.principal ?? '-',
    entry.operation,
    entry.success ? 'ok' : (entry.code ?? 'failed'),
    entry.environment ?? '-',
    secretsText(entry),
    fromText(entry),
  ];
}

/** A row that stands by itself, for a table that has no end. */
export function plainLine(entry: AuditEntry): string {
  return `${auditRow(entry).map(safeText).join('  ').trimEnd()}\n`;
}

/** One record, one line. */
export function jsonLine(entry: AuditEntry): string {
  return `${escapedJson(JSON.stringify(entry))}\n`;
}

/** Facility 13 of RFC 5424 section 6.2.1, "log audit". */
const facility = 13;
const informational = 6;
const warning = 4;
/** The number that is set aside for documentation (RFC 5612): this program has none of its own. */
const structuredId = 'vault@32473';

/** A record as RFC 5424 has it: what can be told apart is structured data, the rest a line for people. */
export function syslogLine(entry: AuditEntry): string {
  const priority = facility * 8 + (entry.success ? informational : warning);
  const { user = '', host = '', address = '', program = '', session = '' } = entry.context ?? {};
  const parameters: readonly (readonly [string, string])[] = [
    ['seq', String(entry.sequence)],
    ['result', entry.success ? 'ok' : 'failed'],
    ['code', entry.code ?? ''],
    ['principal', entry.principal ?? ''],
    ['environment', entry.environment ?? ''],
    ...entry.secrets.map(({ environment, name, version }) => {
      const shown = name ?? '';
      return ['secret', `${environment}/${shown}${version === 0 ? '' : `#${version}`}`] as const;
    }),
    ['user', user],
    ['address', address],
    ['program', program],
    ['session', session],
    ['detail', entry.detail ?? ''],
  ];
  const data = parameters
    .filter(([, value]) => value !== '')
    .map(([name, value]) => ` ${name}="${quoted(value)}"`);
  const message = [
    entry.operation,
    entry.success ? 'ok' : (entry.code ?? 'failed'),
    ...(entry.principal === null ? [] : [`by ${entry.principal}`]),
    ...(entry.environment === null ? [] : [`in ${entry.environment}`]),
  ].join(' ');
  const head = `<${priority}>1 ${entry.time} ${header(host, 255)} vault - ${header(entry.operation, 32)}`;
  return `${head} [${structuredId}${data.join('')}] ${oneLine(message)}\n`;
}

/** A field of the header: printable ASCII without blanks, or `-`. */
function header(text: string, most: number): string {
  const printable = text.replace(/[^\x21-\x7e]/gu, '').slice(0, most);
  return printable === '' ? '-' : printable;
}

/** A value of structured data (RFC 5424 section 6.3.3). */
function quoted(text: string): string {
  return oneLine(text).replace(/["\\\]]/gu, (character) => `\\${character}`);
}

/** Control and direction characters as escapes: a collector splits at line feeds, and a terminal obeys the rest. */
function oneLine(text: string): string {
  return text.replace(
    /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `u+${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function secretsText(entry: AuditEntry): string {
  const names = entry.secrets.map(
    ({ name, version }) => `${name ?? '(unknown)'}${version === 0 ? '' : ` v${version}`}`,
  );
  const more = names.length > namesShown ? ` and ${names.length - namesShown} more` : '';
  return names.slice(0, namesShown).join(', ') + more;
}

function fromText({ context }: AuditEntry): string {
  return [context?.user, context?.host].filter((part) => part !== undefined && part !== '').join('@');
}
