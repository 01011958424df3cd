/** Where the new value of a rotation comes from: what was asked for, else standard input, else the hook, else the default generator. */
import { AccessDeniedError, BackendError, UsageError } from '../src/errors.ts';
import { awaitOutput } from '../src/exec/output-of.ts';
import { withoutOurCredentials } from '../src/exec/variables.ts';
import type { SecretType } from '../src/format/secret-type.ts';
import { withLogin } from '../src/lifecycle/database-credential.ts';
import { defaultGenerator, fitsGenerator, generate } from '../src/lifecycle/generate.ts';
import { openReplaced } from '../src/vault/operations/rotation.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { Context } from './context.ts';
import type { ChosenHook } from './hook-choice.ts';
import type { TurnTaker } from './turns.ts';
import { readValue } from './value-input.ts';

export interface ValueFlags {
  readonly generate?: string | true;
  readonly command?: string;
}

type Bytes = Uint8Array<ArrayBuffer>;
type Target = Pick<SecretInfo, 'name' | 'environment' | 'type'>;

/** @throws UsageError for two sources */
export function checkValueFlags(flags: ValueFlags): void {
  if (flags.generate !== undefined && flags.command !== undefined)
    throw new UsageError('--generate and --command exclude each other');
}

/** Whether a value for a secret of this type can be made without being asked for. */
export function canBeMade(type: SecretType, flags: ValueFlags, { hook, command }: ChosenHook): boolean {
  const named = flags.generate !== undefined || flags.command !== undefined;
  return named || command !== null || hook.next !== null || fitsGenerator(type);
}

/** @param input what standard input held, or `null`; owned by the caller. Caller wipes the result */
export async function newValue(
  context: Context,
  vault: TurnTaker,
  flags: ValueFlags,
  target: Target,
  { hook, command }: ChosenHook,
  input: Bytes | null,
): Promise<Bytes> {
  if (flags.command !== undefined) return outputOf(context, flags.command, target);
  if (flags.generate === undefined) {
    if (input !== null) return Uint8Array.from(input);
    if (command !== null) return outputOf(context, command, target);
  }
  if (!canBeMade(target.type, flags, { hook, command }))
    throw new UsageError(`random characters make no ${target.type}`, {
      hint: 'give the value on standard input, or say how to make it with --generate or --command',
    });
  const spec = typeof flags.generate === 'string' ? flags.generate : defaultGenerator;
  const made = await generate((length) => context.random(length), spec);
  const next = hook.next ?? (target.type === 'database-credential' ? withPassword : null);
  if (next === null) return made;
  const present = await vault.read('rotate-old', async (scope) => openReplaced(scope, target));
  if (present === null)
    throw new AccessDeniedError('the new value is made of the old one, which you may not read');
  try {
    return next(present.bytes, made);
  } finally {
    present.wipe();
    made.fill(0);
  }
}

const withPassword = (present: Bytes, password: Bytes): Bytes => withLogin(present, password, null);

/** What standard input holds, where it is no terminal and not empty. */
export async function valueFromInput(context: Context, flags: ValueFlags): Promise<Bytes | null> {
  if (flags.generate !== undefined || flags.command !== undefined || !context.inputIsData) return null;
  const value = await readValue(context, { file: '-', exact: false, question: '' });
  return value.length > 0 ? value : null;
}

async function outputOf(context: Context, command: string, { name, environment }: Target): Promise<Bytes> {
  const { keeper } = context;
  const { status, output } = await awaitOutput(
    command,
    {
      ...withoutOurCredentials(context.host.env),
      VAULT_SECRET_NAME: name,
      VAULT_ENVIRONMENT: environment,
    },
    keeper === null ? null : { report: context.writeTo('error'), keeper },
  );
  const hint = 'the old value is still current';
  if (status !== 0)
    throw new BackendError(
      `the command for a new value failed with status ${status}`,
      { hint },
      'HOOK_FAILED',
    );
  const end = output.at(-1) === 0x0a ? (output.at(-2) === 0x0d ? -2 : -1) : output.length;
  const value = output.slice(0, end);
  output.fill(0);
  if (value.length === 0)
    throw new BackendError('the command for a new value printed nothing', { hint }, 'HOOK_FAILED');
  return value;
}
