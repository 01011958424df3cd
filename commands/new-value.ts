/** Where the new value of a rotation comes from: what was asked for, else standard input, else the hook, else the default generator. */
import { AccessDeniedError, BackendError, UsageError } from '../src/errors.ts';
import { awaitOutput } from '../src/exec/output-of.ts';
import { withoutOurCredentials } from '../src/exec/variables.ts';
import type { SecretType } from '../src/format/secret-type.ts';
import { withLogin } from '../src/lifecycle/database-credential.ts';
import { hasMembers } from '../src/lifecycle/field.ts';
import {
  defaultGenerator,
  fitsGenerator,
  recipe,
  type Recipe,
  type Shape,
} from '../src/lifecycle/generate.ts';
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
  if (flags.command?.trim() === '') throw new UsageError('--command is empty: there is nothing to run');
}

/** Whether a value for a secret of this type can be made without being asked for. */
export function canBeMade(type: SecretType, flags: ValueFlags, { hook, command }: ChosenHook): boolean {
  const named = flags.generate !== undefined || flags.command !== undefined;
  return named || command !== null || hook.next !== null || fitsGenerator(type);
}

/** Where a new value comes from. */
type Source =
  | { readonly from: 'input' }
  | { readonly from: 'command'; readonly command: string; readonly cwd?: string | undefined }
  | { readonly from: 'generator'; readonly recipe: Recipe };

/**
 * @param hasInput whether standard input held something
 * @throws UsageError where nothing is known that makes one, and for a generator that there is not
 */
function sourceOf(
  flags: ValueFlags,
  { type }: Pick<Target, 'type'>,
  { hook, command, cwd }: ChosenHook,
  hasInput: boolean,
): Source {
  if (flags.command !== undefined) return { from: 'command', command: flags.command };
  if (flags.generate === undefined) {
    if (hasInput) return { from: 'input' };
    if (command !== null) return { from: 'command', command, cwd };
  }
  if (!canBeMade(type, flags, { hook, command }))
    throw new UsageError(`random characters make no ${type}`, {
      hint: 'give the value on standard input, or say how to make it with --generate or --command',
    });
  const spec = typeof flags.generate === 'string' ? flags.generate : defaultGenerator;
  return { from: 'generator', recipe: recipe(spec) };
}

/** What would be generated; `null` for a value that comes from elsewhere. @throws as `newValue`, as far as nothing has to run for it */
export function shapeOfNew(
  flags: ValueFlags,
  target: Pick<Target, 'type'>,
  chosen: ChosenHook,
  hasInput: boolean,
): Shape | null {
  const source = sourceOf(flags, target, chosen, hasInput);
  return source.from === 'generator' ? source.recipe.shape : null;
}

/** @param input what standard input held, or `null`; owned by the caller. Caller wipes the result */
export async function newValue(
  context: Context,
  vault: TurnTaker,
  flags: ValueFlags,
  target: Target,
  chosen: ChosenHook,
  input: Bytes | null,
): Promise<Bytes> {
  const source = sourceOf(flags, target, chosen, input !== null);
  const made =
    source.from === 'input'
      ? Uint8Array.from(input ?? [])
      : source.from === 'command'
        ? await outputOf(context, source, target)
        : await source.recipe.make((length) => context.random(length));
  const next = nextOf(source, target, chosen, made);
  if (next === null) return made;
  try {
    const present = await vault.read('rotate-old', async (scope) => openReplaced(scope, target));
    if (present === null)
      throw new AccessDeniedError('the new value is made of the old one, which you may not read');
    try {
      return next(present.bytes, made);
    } finally {
      present.wipe();
    }
  } finally {
    made.fill(0);
  }
}

/** What makes the new value of the present one and what came; `null` where what came is the value. */
function nextOf(source: Source, { type }: Target, { hook }: ChosenHook, made: Bytes): Step | null {
  const next = hook.next ?? (type === 'database-credential' ? withPassword : null);
  if (source.from === 'generator' || next === null) return next;
  return type === 'database-credential' && !hasMembers(made) ? inCredential(next) : null;
}

type Step = (present: Bytes, password: Bytes) => Bytes;

const withPassword: Step = (present, password) => withLogin(present, password, null);

/** A credential that has no password of its own, a URL perhaps, is replaced whole. */
const inCredential =
  (next: Step): Step =>
  (present, password) => {
    if (isUrl(present) !== isUrl(password) && (hasMembers(present) || isUrl(present)))
      throw new UsageError(
        isUrl(password)
          ? 'a URL is no password, and the present value is no URL'
          : 'the present value is a URL, and this is none',
        { hint: 'give all of the new value: a URL in place of a URL, a JSON object in place of an object' },
      );
    return hasMembers(present) ? next(present, password) : Uint8Array.from(password);
  };

const isUrl = (value: Bytes): boolean =>
  /^[a-z][a-z\d+.-]*:\/\//iu.test(Buffer.from(value.subarray(0, 64)).toString('latin1'));

/** What standard input holds, where it is no terminal and not empty. */
export async function valueFromInput(context: Context, flags: ValueFlags): Promise<Bytes | null> {
  if (flags.generate !== undefined || flags.command !== undefined || !context.inputIsData) return null;
  const value = await readValue(context, { file: '-', exact: false, question: '' });
  if (value.length > 0) {
    tell(context, 'the new value comes from standard input');
    return value;
  }
  tell(context, 'standard input is empty: nothing is taken from there');
  return null;
}

/** With `--json`, what fails is one object on standard error, and nothing else. */
function tell(context: Context, message: string): void {
  if (!context.json) context.inform(message);
}

async function outputOf(
  context: Context,
  { command, cwd }: Extract<Source, { from: 'command' }>,
  { name, environment }: Target,
): Promise<Bytes> {
  const { keeper } = context;
  const { status, output } = await awaitOutput(
    command,
    {
      ...withoutOurCredentials(context.host.env),
      VAULT_SECRET_NAME: name,
      VAULT_ENVIRONMENT: environment,
    },
    keeper === null ? null : { report: context.writeTo('error'), keeper },
    cwd,
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
