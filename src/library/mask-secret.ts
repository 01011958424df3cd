/** Values in logs and on screens, where somebody has to tell one from another and nobody may read it. */
import { UsageError } from '../errors.ts';

const hidden = '********';
const shownCharacters = 4;
/** A value that is shorter shows nothing: its end would be too much of it. */
const leastCharacters = 20;

function textOf(value: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return null;
  }
}

/**
 * Eight asterisks, and behind them the last four characters of a value that has at least twenty, if they are printable ASCII. Says
 * nothing of the length but whether it is that long.
 * @throws UsageError for what is neither text nor bytes
 */
export function maskSecret(value: string | Uint8Array): string {
  const given: unknown = value;
  if (typeof given !== 'string' && !(given instanceof Uint8Array))
    throw new UsageError('only text or bytes can be masked');
  const characters = Array.from(typeof given === 'string' ? given : (textOf(given) ?? ''));
  if (characters.length < leastCharacters) return hidden;
  const end = characters.slice(-shownCharacters).join('');
  return /^[!-~]+$/u.test(end) ? hidden + end : hidden;
}
