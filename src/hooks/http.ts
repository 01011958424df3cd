/** A hook that is an HTTP endpoint of one's own: each step is a POST of JSON, and any answer of 2xx is success. */
import { UsageError } from '../errors.ts';
import { parseUtf8 } from '../crypto/bytes.ts';
import type { HookInput } from '../exec/hook.ts';
import { codeOf, isLocal } from './database.ts';
import {
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

/** @throws UsageError for an address that is none, or would send values over a network without TLS */
export function httpHook({ urls, token, secrets }: Options): RotationHook {
  const found = [...urls].map(([name, text]) => {
    const step = name as Step;
    const address = addressOf(step, text);
    const work: StepWork = async (input) =>
      post(address, step, input, token === null ? null : await secrets(token));
    return [step, work] as const;
  });
  return { steps: Object.fromEntries(found), next: null, endsPrevious: false };
}

function addressOf(step: Step, text: string): URL {
  const url = URL.parse(text);
  if (url?.username !== '' || url.password !== '')
    throw new UsageError(`the setting ${step} of the hook is no address of a server`);
  const isPlain = url.protocol === 'http:' && isLocal(url.hostname);
  if (url.protocol !== 'https:' && !isPlain)
    throw new UsageError(
      `the setting ${step} of the hook has to begin with https:// (http:// for this machine alone)`,
    );
  return url;
}

/** @param token wiped */
async function post(address: URL, step: Step, input: HookInput, token: Uint8Array | null): Promise<void> {
  const body = JSON.stringify({
    step,
    name: input.name,
    environment: input.environment,
    ...valueAs('old', input.old),
    ...valueAs('new', input.value),
  });
  let status: number;
  try {
    const authorization =
      token === null ? {} : { authorization: `Bearer ${Buffer.from(token).toString('utf8').trim()}` };
    const response = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization },
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
  } finally {
    token?.fill(0);
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
