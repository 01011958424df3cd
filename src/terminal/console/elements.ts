/** What the screen is made of. */
import { Box, Text, type BoxProps, type TextProps } from 'ink';
import { createElement, type ReactNode } from 'react';

/** Looks, or none of them where colours are not wanted: then nothing but text is written. */
export type Look = Pick<TextProps, 'bold' | 'inverse' | 'color' | 'dimColor'>;
export type Paint = (look: Look) => Look;

export const box = (props: BoxProps, ...children: ReactNode[]): ReactNode =>
  createElement(Box, { flexShrink: 0, ...props }, ...children);

/** One row, cut where there is no room. */
export const row = (text: string, look: Look = {}, width?: number): ReactNode =>
  box(
    { height: 1, ...(width === undefined ? {} : { width }) },
    createElement(Text, { wrap: 'truncate-end', ...look }, text === '' ? ' ' : text),
  );
