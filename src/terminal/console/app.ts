/** The terminal library, set up for a whole screen: what it draws, what it hears, and the way back. */
import { render, useApp, useInput, usePaste, type Instance } from 'ink';
import { createElement, Fragment, type ReactNode } from 'react';
import Yoga from 'yoga-layout';
import { loadYoga } from 'yoga-layout/load';
import { keysOf } from './keys.ts';

export interface Listener {
  readonly key: (key: string) => void;
  readonly paste: (text: string) => void;
}

/** The terminal while the console has it. */
export interface Screen {
  draw(view: ReactNode): void;
  /** Forget what is on the screen, and draw all of it: after a change of size nobody knows where the cursor is. */
  drawAnew(view: ReactNode): void;
  /** Give the terminal back for as long as something else has it; everything is drawn again afterwards. */
  suspend(meanwhile: () => Promise<void>): Promise<void>;
  /** Leave the terminal as it was. Does nothing the second time. */
  restore(): void;
}

const clearScreen = '\u001b[H\u001b[2J';

/**
 * The layout engine. In the binary, whose modules cannot wait for anything while they are loaded, the library is given an empty one
 * (scripts/bundle.ts), which is filled here; elsewhere it loads its own, and gets another.
 */
async function loadLayout(): Promise<void> {
  Object.assign(Yoga, await loadYoga());
}

type Suspend = (meanwhile: () => Promise<void>) => Promise<void>;

interface RootProps {
  readonly listener: Listener;
  readonly suspending: { by: Suspend | null };
  readonly children?: ReactNode;
}

/** Hooks, and a screen that was made elsewhere. */
function Root({ listener, suspending, children }: RootProps): ReactNode {
  const { suspendTerminal } = useApp();
  suspending.by = suspendTerminal;
  useInput((input, key) => {
    for (const one of keysOf(input, key)) listener.key(one);
  });
  usePaste(listener.paste);
  return createElement(Fragment, null, children);
}

export async function openScreen(
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
  listener: Listener,
  first: () => ReactNode,
): Promise<Screen> {
  await loadLayout();
  const suspending: RootProps['suspending'] = { by: null };
  const tree = (view: ReactNode): ReactNode => createElement(Root, { listener, suspending }, view);
  const view = first();
  const app: Instance = render(tree(view), {
    stdin: input,
    stdout: output,
    alternateScreen: true,
    interactive: true,
    incrementalRendering: true,
    exitOnCtrlC: false,
    patchConsole: false,
    isScreenReaderEnabled: false,
  });
  let isOpen = true;
  return {
    draw: (now) => {
      if (isOpen) app.rerender(tree(now));
    },
    drawAnew: (now) => {
      if (!isOpen) return;
      app.clear();
      output.write(clearScreen);
      app.rerender(tree(now));
    },
    suspend: async (meanwhile) => {
      if (isOpen) await suspending.by?.(meanwhile);
    },
    restore: () => {
      if (!isOpen) return;
      isOpen = false;
      app.unmount();
      // The library does this a moment later, when the process may be gone.
      if (input.isRaw) input.setRawMode(false);
    },
  };
}
