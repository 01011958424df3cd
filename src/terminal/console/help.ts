/** The keys of the console, told on its screen. */
import { revealSeconds } from './state.ts';

export const helpLines: readonly string[] = [
  'Keys (any key goes back)',
  'j k, arrows, PageUp, PageDown, Home, End   choose a secret',
  '/                 search names, environments, types, tags; Esc clears',
  'Tab, left, right  all secrets, rotations due, expiring',
  `Enter or v        show the value for ${revealSeconds} seconds, or mask it`,
  'c                 copy the value to the clipboard',
  'r                 rotate, by its hook or to a generated value; asks first',
  'a                 audit trail of the secret, or of the vault',
  'R or Ctrl-R       read the vault again',
  'Ctrl-L            draw the screen again',
  'Ctrl-Z            back to the shell; `fg` returns',
  'q or Ctrl-C       quit; a hook that runs is ended, `vault rotate --resume`',
  '',
  'Showing, copying and rotating are in the audit log, as by',
  '`vault get` and `vault rotate`.',
];
