/** What fits on a screen of some size. Rows are given away in the order of what a person can least do without. */

export interface Layout {
  readonly rows: number;
  readonly columns: number;
  /** Rows of secrets. */
  readonly list: number;
  /** Rows of the value. */
  readonly value: number;
  /** Rows of what is told. */
  readonly status: number;
  /** Rows of the audit trail below its heading; 0 without one. */
  readonly trail: number;
  readonly hasTitle: boolean;
  readonly hasTabs: boolean;
  readonly hasHeading: boolean;
  readonly hasDetails: boolean;
  readonly hasKeys: boolean;
}

/** Columns for the word before a value. */
export const labelWidth = 7;
const leastTrail = 3;

/** @param wanted how many rows the value and what is told would like to have */
export function layoutFor(
  rows: number,
  columns: number,
  wanted: { readonly value: number; readonly status: number },
): Layout {
  // A row of the list and one of what is told are always there.
  let left = Math.max(0, rows - 2);
  const take = (most: number): number => {
    const given = Math.max(0, Math.min(most, left));
    left -= given;
    return given;
  };
  const value = take(1);
  const [hasTabs, hasKeys, hasHeading, hasTitle, hasDetails] = Array.from({ length: 5 }, () => take(1) === 1);
  const status = 1 + take(Math.min(wanted.status - 1, Math.floor(left * 0.25)));
  const more = take(Math.min(wanted.value - 1, Math.floor(left * 0.75)));
  const trail = left > 2 * leastTrail ? Math.floor((left - 1) * 0.35) : 0;
  if (trail > 0) take(trail + 1);
  return {
    rows,
    columns,
    list: 1 + left,
    value: value + more,
    status,
    trail,
    hasTitle: hasTitle === true,
    hasTabs: hasTabs === true,
    hasHeading: hasHeading === true,
    hasDetails: hasDetails === true,
    hasKeys: hasKeys === true,
  };
}

export type Field = 'name' | 'environment' | 'type' | 'version' | 'updated' | 'expires' | 'due' | 'value';

export interface Column {
  readonly field: Field;
  readonly heading: string;
  readonly width: number;
}

const leastName = 16;
const mostName = 48;
/** Which columns are kept first. */
const byNeed: readonly Column[] = [
  { field: 'due', heading: 'DUE', width: 10 },
  { field: 'environment', heading: 'ENVIRONMENT', width: 12 },
  { field: 'expires', heading: 'EXPIRES', width: 10 },
  { field: 'version', heading: 'VER', width: 4 },
  { field: 'updated', heading: 'UPDATED', width: 10 },
  { field: 'type', heading: 'TYPE', width: 11 },
  { field: 'value', heading: 'VALUE', width: 8 },
];
const order: readonly Field[] = [
  'name',
  'environment',
  'type',
  'version',
  'updated',
  'expires',
  'due',
  'value',
];
const wideType = 19;

/** The columns of the list, each but the last followed by a blank. @param width without the mark of the selected one */
export function columnsFor(width: number): readonly Column[] {
  let left = width - leastName;
  const kept: Column[] = [];
  for (const column of byNeed) {
    if (left < column.width + 1) break;
    left -= column.width + 1;
    kept.push(column);
  }
  const name = Math.min(leastName + left, mostName);
  left -= name - leastName;
  const spare = Math.max(0, Math.min(left, wideType - 11));
  const wide = kept.map((column) =>
    column.field === 'type' ? { ...column, width: column.width + spare } : column,
  );
  const all: Column[] = [{ field: 'name', heading: 'NAME', width: Math.max(1, name) }, ...wide];
  return all.sort((a, b) => order.indexOf(a.field) - order.indexOf(b.field));
}

/** The first of the rows to be seen, so that the selected one is among them and not at an edge needlessly. */
export function firstRow(index: number, count: number, rows: number): number {
  const centred = index - Math.floor(rows / 2);
  return Math.max(0, Math.min(centred, count - rows));
}
