/** A hook that is an HTTP endpoint of one's own: each step is a POST of JSON, and any answer of 2xx is success. */
import { UsageError } from '../errors.ts';
import { parseUtf8 } from '../crypto/bytes.ts';
import type { HookInput } from '../exec/hook.ts';
import { codeOf } from './database.ts';
import {
  hookOf,
  StepFailure,
  type RotationHook,
  type SecretSource,
  type Step,
  type StepWork,
} from './rotation-hook.ts';

const answerMs = 30_000;
/** Where nothing was sent. */
const unreached: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);

interface Options {
  /** By step. */
  readonly urls: ReadonlyMap<string, string>;
  /** Name of a secret that is sent as a bearer token (RFC 6750 section 2.1), or `null`. */
  readonly token: string | null;
  readonly secrets: SecretSource;
}

/** @param options with addresses as format/hook.ts has checked them */
export function httpHook({ urls, token, secrets }: Options): RotationHook {
  const found = [...urls].map(([name, text]) => {
    const step = name as Step;
    const address = new URL(text);
    const work: StepWork = async (input) =>
      post(address, step, input, token === null ? null : bearer(await secrets(token)));
    return [step, work] as const;
  });
  return hookOf(Object.fromEntries(found), token === null ? [] : [token]);
}

/** Wipes the token. @throws UsageError for what cannot stand in a header (RFC 6750 section 2.1) */
function bearer(token: Uint8Array): string {
  const text = Buffer.from(token).toString('latin1').trim();
  token.fill(0);
  if (!/^[!-~]+$/u.test(text))
    throw new UsageError('the token of the hook is no bearer token: printable ASCII, no spaces');
  return `Bearer ${text}`;
}

async function post(address: URL, step: Step, input: HookInput, authorization: string | null): Promise<void> {
  const body = JSON.stringify({
    step,
    name: input.name,
    environment: input.environment,
    ...valueAs('old', input.old),
    ...valueAs('new', input.value),
  });
  if (address.protocol === 'https:' && process.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
    throw new StepFailure('failed: NODE_TLS_REJECT_UNAUTHORIZED lets anybody be the server; unset it', {
      isUntouched: true,
    });
  let status: number;
  try {
    const response = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization === null ? {} : { authorization }) },
      body,
      // A value goes where the hook says, and nowhere else.
      redirect: 'manual',
      signal: AbortSignal.timeout(answerMs),
    });
    ({ status } = response);
    await response.body?.cancel();
  } catch (cause) {
    const inner = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
    const timedOut = cause instanceof Error && cause.name === 'TimeoutError';
    const code = codeOf(inner);
    const why = timedOut ? 'no answer in time' : `the server cannot be used (${code})`;
    throw new StepFailure(`failed: ${why}`, { cause, isUntouched: unreached.has(code) });
  }
  if (status < 200 || status > 299) throw new StepFailure(`failed: the server answered ${status}`);
}

/** Text as it is, anything else in base64 under another name. */
function valueAs(name: 'old' | 'new', value: Uint8Array | null): object {
  if (value === null) return {};
  try {
    return { [name]: parseUtf8(value) };
  } catch {
    return { [`${name}Base64`]: Buffer.from(value).toString('base64') };
  }
}
