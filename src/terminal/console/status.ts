/** What is told at the foot of the screen: a question, what is being done, or what came of it; below, what a hook has printed last. */
import type { ReactNode } from 'react';
import { box, row, type Look, type Paint } from './elements.ts';
import type { SecretRow } from './data.ts';
import type { Layout } from './layout.ts';
import type { State } from './state.ts';
import { wrapLines } from './value-text.ts';

/** Rows for what is told, at most, without what was printed. */
const mostTold = 3;

function question({ name, environment, hook }: SecretRow): string {
  const how = hook === null ? ', to a generated value' : ` by the hook ${hook}`;
  return `rotate "${name.replaceAll('"', String.raw`\"`)}" in ${environment}${how}? y/n`;
}

function toldIn({ mode, asked, busy, message, isError }: State): readonly [string, Look] {
  if (mode === 'confirm' && asked !== null) return [question(asked), { color: 'yellow', bold: true }];
  if (busy !== null) return [`${busy}…`, {}];
  return [message, isError ? { color: 'red' } : {}];
}

/** How many rows there is something for. */
export function statusRows(state: State, columns: number): number {
  const [told] = toldIn(state);
  return Math.min(mostTold, wrapLines(told, columns).length) + state.printed.length;
}

export function statusPane(state: State, { status: rows, columns }: Layout, paint: Paint): ReactNode {
  const [told, look] = toldIn(state);
  const room = Math.max(1, rows - state.printed.length);
  // A single row ends in an ellipsis where there is no room.
  const lines = room === 1 ? [told] : wrapLines(told, columns).slice(0, Math.min(room, mostTold));
  const left = rows - lines.length;
  const printed = left === 0 ? [] : state.printed.slice(-left);
  return box(
    { flexDirection: 'column', height: rows },
    ...lines.map((line) => row(line, paint(look))),
    ...printed.map((line) => row(`| ${line}`, paint({ dimColor: true }))),
  );
}
