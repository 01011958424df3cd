/** The screen at a moment, as elements of the terminal library. Plain functions: what goes wrong in them is met by who calls. */
import type { ReactNode } from 'react';
import type { SecretRow, TrailRow } from './data.ts';
import { box, row, type Look, type Paint } from './elements.ts';
import { columnsFor, firstRow, labelWidth, layoutFor, type Column, type Layout } from './layout.ts';
import { selected, tabs, visible, type State, type Tab } from './state.ts';
import { statusPane, statusRows } from './status.ts';
import { safeText } from '../safe-text.ts';
import { valueText, type ValueText } from './value-text.ts';
import { helpLines } from './help.ts';

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

const mask = '********';
export function viewOf(state: State, { rows, columns }: Size, colours: boolean): ReactNode {
  const paint: Paint = (look) => (colours ? look : {});
  if (state.mode === 'help') return helpView(rows, columns, paint);
  const value = state.shown === null ? null : shownText(state, rows, columns);
  const layout = layoutFor(rows, columns, wantedRows(state, columns, value));
  const secret = selected(state);
  return box(
    { width: columns, height: rows, flexDirection: 'column', overflow: 'hidden' },
    layout.hasTitle && title(state, paint),
    layout.hasTabs && tabLine(state, paint),
    list(state, layout, paint),
    layout.hasDetails && details(secret, paint),
    layout.value > 0 && valuePane(state, value, layout, paint),
    layout.trail > 0 && trailPane(state, layout, paint),
    statusPane(state, layout, paint),
    layout.hasKeys && row(keysLine(state), paint({ dimColor: true })),
  );
}

/** Page of the list under this state, for keys that move by pages. */
export function pageOf(state: State, { rows, columns }: Size): number {
  const value = state.shown === null ? null : shownText(state, rows, columns);
  return layoutFor(rows, columns, wantedRows(state, columns, value)).list;
}

function wantedRows(
  state: State,
  columns: number,
  value: ValueText | null,
): { readonly value: number; readonly status: number } {
  return { value: value?.lines.length ?? 1, status: statusRows(state, columns) };
}

function title({ data }: State, paint: Paint): ReactNode {
  return row(`vault console  ${data.principal}  ${data.vault}`, paint({ bold: true }));
}

const tabNames: Readonly<Record<Tab, string>> = { all: 'All', due: 'Due', expiring: 'Expiring' };

function tabLine(state: State, paint: Paint): ReactNode {
  const { data, mode, filter } = state;
  const label = (tab: Tab): string => {
    const count = tab === 'all' ? data.secrets.length : data[tab].length;
    return tab === state.tab ? `[${tabNames[tab]} ${count}]` : ` ${tabNames[tab]} ${count} `;
  };
  const isSearching = mode === 'search';
  const search = isSearching || filter !== '' ? `/${safeText(filter)}${isSearching ? '_' : ''}` : '';
  return box(
    { height: 1 },
    ...tabs.map((tab) => row(`${label(tab)} `, tab === state.tab ? paint({ bold: true }) : {})),
    row(search, isSearching ? paint({ color: 'cyan' }) : {}),
  );
}

function cell(secret: SecretRow, { field }: Column): string {
  switch (field) {
    case 'value':
      return mask;
    case 'version':
      return String(secret.version);
    case 'expires':
    case 'due':
      return secret[field] ?? '-';
    default:
      return secret[field];
  }
}

/** Colour and weight of a cell; an asterisk says the same where there is none. */
function urgency(secret: SecretRow, { field }: Column): Look {
  if (field === 'due' && secret.isOverdue) return { color: 'red' };
  if (field !== 'expires' || secret.expiry === null) return {};
  return { color: secret.expiry === 'expired' ? 'red' : 'yellow' };
}

function list(state: State, layout: Layout, paint: Paint): ReactNode {
  const all = visible(state);
  const columns = columnsFor(layout.columns - 2);
  const first = firstRow(state.index, all.length, layout.list);
  const lines = all.slice(first, first + layout.list).map((secret, place) => {
    const isSelected = first + place === state.index;
    const look = isSelected ? paint({ inverse: true }) : {};
    return box(
      { height: 1 },
      row(isSelected ? '> ' : '  ', look, 2),
      ...columns.map((column) =>
        box(
          { width: column.width + 1, height: 1 },
          row(cell(secret, column), { ...look, ...paint(urgency(secret, column)) }, column.width),
        ),
      ),
    );
  });
  const heading = box(
    { height: 1 },
    row('  ', {}, 2),
    ...columns.map(({ heading: text, width }) =>
      box({ width: width + 1 }, row(text, paint({ bold: true }), width)),
    ),
  );
  return box(
    { flexDirection: 'column' },
    layout.hasHeading && heading,
    box({ flexDirection: 'column', height: layout.list }, ...(lines.length === 0 ? [nothing(state)] : lines)),
  );
}

function nothing({ tab, filter }: State): ReactNode {
  if (filter !== '') return row(`  nothing matches ${safeText(filter)}`);
  if (tab === 'due') return row('  no rotation is due');
  return row(tab === 'expiring' ? '  nothing expires within 30 days' : '  no secrets');
}

function details(secret: SecretRow | null, paint: Paint): ReactNode {
  if (secret === null) return row('');
  const { name, environment, type, version, isOverdue, expiry, remarks } = secret;
  const words = [
    `${name} in ${environment}: ${type}, version ${version}`,
    ...(isOverdue ? ['rotation overdue'] : []),
    ...(expiry === null ? [] : [expiry === 'expired' ? 'expired' : 'expires soon']),
    ...remarks,
  ];
  return row(words.join('; '), paint({ bold: true }));
}

/** As much of the value as could be on a screen of this size. */
function shownText({ shown }: State, rows: number, columns: number): ValueText | null {
  return shown === null ? null : valueText(shown.value.bytes, columns - labelWidth, rows);
}

function valuePane(
  { shown }: State,
  text: ValueText | null,
  { value: rows }: Layout,
  paint: Paint,
): ReactNode {
  if (shown === null || text === null) return row(`${'value'.padEnd(labelWidth)}${mask}`);
  const isCut = text.isCut || text.lines.length > rows;
  // The last row says that there is more, where there is another one.
  const lines = isCut && rows > 1 ? text.lines.slice(0, rows - 1) : text.lines.slice(0, rows);
  const label = `${shown.secondsLeft} s`.padEnd(labelWidth);
  return box(
    { flexDirection: 'column', height: rows },
    ...lines.map((line, place) =>
      box(
        { height: 1 },
        row(place === 0 ? label : ' ', paint({ color: 'yellow' }), labelWidth),
        row(line, text.kind === 'text' ? {} : paint({ dimColor: true })),
      ),
    ),
    isCut && rows > 1 && row(`${' '.repeat(labelWidth)}(there is more of it: \`vault get\`)`),
  );
}

/** Records as lines, in columns that are as wide as these records need. */
function trailLines(records: readonly TrailRow[], isWhole: boolean): string[] {
  const cells = records.map(({ time, operation, result, by, environment, secrets }) => [
    time,
    operation,
    result,
    by,
    secrets,
    ...(isWhole ? [environment] : []),
  ]);
  const widthOf = (column: number): number =>
    Math.max(0, ...cells.map((words) => words[column]?.length ?? 0));
  return cells.map((words) => words.map((word, column) => word.padEnd(widthOf(column))).join('  '));
}

function trailPane(state: State, { trail: rows }: Layout, paint: Paint): ReactNode {
  const secret = selected(state);
  const { isWholeTrail, trail } = state;
  const wanted = isWholeTrail ? null : secret?.key;
  const all = trail !== null && trail.key === wanted ? trail.rows : null;
  const whose = isWholeTrail ? 'of the vault' : `of ${secret?.name ?? 'no secret'}`;
  const last = (all ?? []).slice(-rows);
  return box(
    { flexDirection: 'column', height: rows + 1 },
    row(`AUDIT TRAIL ${whose}`, paint({ bold: true })),
    ...trailLines(last, isWholeTrail).map((line, place) =>
      row(line, last[place]?.failed === true ? paint({ color: 'red' }) : {}),
    ),
    all?.length === 0 && row('nothing on record here'),
  );
}

function keysLine({ mode, shown }: State): string {
  if (mode === 'search') return 'type to search  Enter keep  Esc clear';
  if (mode === 'confirm') return 'y rotate  n leave it as it is';
  const reveal = shown === null ? 'Enter show' : 'Enter mask';
  return `q quit  ? help  / search  ${reveal}  c copy  r rotate  Tab due  a trail  R reload`;
}

function helpView(rows: number, columns: number, paint: Paint): ReactNode {
  const [heading = '', ...lines] = helpLines.slice(0, rows);
  return box(
    { width: columns, height: rows, flexDirection: 'column', overflow: 'hidden' },
    row(heading, paint({ bold: true })),
    ...lines.map((line) => row(line)),
  );
}
