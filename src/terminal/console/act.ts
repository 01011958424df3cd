/** Carries out what takes its time, and says what came of it. */
import type { ConsoleActions, SecretRow } from './data.ts';
import type { Action, Happening } from './happening.ts';
import type { LastLines } from './last-lines.ts';

/** @throws what the action throws */
export async function act(
  action: Action,
  actions: ConsoleActions,
  printed: LastLines,
  happen: (happening: Happening) => void,
): Promise<void> {
  if (action.type === 'load') {
    const data = await actions.load(action.asked);
    if (action.asked) happen({ type: 'told', message: 'read again', isError: false });
    happen({ type: 'loaded', data });
    return;
  }
  const { secret } = action;
  if (action.type === 'reveal') {
    happen({ type: 'revealed', key: secret.key, value: await actions.reveal(secret) });
    return;
  }
  const message = await (action.type === 'copy' ? actions.copy(secret) : rotate(secret, actions, printed));
  happen({ type: 'told', message, isError: false });
  happen({ type: 'loaded', data: await actions.load(false) });
}

async function rotate(secret: SecretRow, actions: ConsoleActions, printed: LastLines): Promise<string> {
  printed.clear();
  try {
    return await actions.rotate(secret);
  } finally {
    printed.flush();
  }
}
