/**
 * The environment of a child: what of the caller's it keeps, and which variable holds which secret.
 *
 * Invariants: a secret never replaces something silently (a collision, a variable that the caller has with another value
 * and a hazardous one are errors that list them all); our own credentials never reach a child; messages name secrets and
 * variables, never values.
 *
 * Known limit: Node turns bytes of the caller's environment that are not UTF-8 into U+FFFD before we see them. There is a
 * warning for each such variable.
 */
import { UsageError } from '../errors.ts';
import { isHazardous } from './hazards.ts';

export interface SecretVariable {
  /** Name of the secret, for messages. */
  readonly name: string;
  /** The variable recorded with the secret, or chosen for it with --map. */
  readonly variable: string | null;
  /** Whether `variable` was chosen with --map: it is then used as it stands, without the prefix. */
  readonly mapped?: boolean;
  /** Whether it is the value before the current one: its variable ends in `_PREVIOUS`. */
  readonly previous?: boolean;
  /** Borrowed; strings of the environment outlive it. */
  readonly value: Uint8Array;
  /** Whether someone asked for this secret: without a valid variable it is then an error, else it is skipped. */
  readonly selected: boolean;
}

export interface EnvironmentOptions {
  /** The caller's environment. */
  readonly parent: Readonly<Record<string, string | undefined>>;
  readonly secrets: readonly SecretVariable[];
  /** Variables with values that are not secret: from --env-file, or the paths of --file. */
  readonly literals?: Readonly<Record<string, string>>;
  /** Put before every variable that was not chosen with --map. */
  readonly prefix: string;
  /** Start from what a program needs to run at all, instead of from everything that the caller has. */
  readonly pristine: boolean;
  /** Allow hazardous variables, and other values for variables that the caller has. */
  readonly override: boolean;
  readonly platform?: NodeJS.Platform;
}

export interface BuiltEnvironment {
  /** Has no prototype: a variable may be called `__proto__`. */
  readonly environment: Record<string, string>;
  readonly warnings: string[];
}

/**
 * How our own credentials get in; a child has no use for them. HashiCorp's VAULT_ADDR, VAULT_TOKEN… stay, and so does what only says
 * where things are, such as VAULT_PKCS11_MODULE: it opens nothing, and a vault that the child runs wants it. A secret may not set that one
 * (`hazards.ts`): it names code.
 */
const credentials = new Set([
  'VAULT_PASSPHRASE',
  'VAULT_PASSPHRASE_FD',
  'VAULT_PASSPHRASE_FILE',
  'VAULT_PASSPHRASE_COMMAND',
  'VAULT_KEY_FILE',
  'VAULT_ACCESS_TOKEN',
  'VAULT_ACCESS_TOKEN_FILE',
  'VAULT_PKCS11_PIN_FILE',
  'VAULT_AGE_IDENTITY',
]);

const pristineNames = new Set(['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'TERM', 'LANG', 'TZ', 'TMPDIR']);

const pristineWindowsNames = new Set(
  (
    'PATH PATHEXT SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC TEMP TMP USERPROFILE USERNAME USERDOMAIN HOMEDRIVE HOMEPATH ' +
    'APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 NUMBER_OF_PROCESSORS ' +
    'PROCESSOR_ARCHITECTURE OS LANG TZ TERM'
  ).split(' '),
);

/** Bytes that Linux allows one variable, with its name, `=` and the NUL at the end (MAX_ARG_STRLEN). */
const variableLimit = 131_072;
/** Windows counts characters, with the NUL. */
const windowsVariableLimit = 32_767;

const anotherWay = 'hand it over with --file VAR=NAME or --stdin NAME, or leave it out with --only';
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The variable for a secret: the recorded one as it stands, else the name in upper case with `_` for every character that
 * is not an ASCII letter or digit. `null` if that would be empty, begin with a digit or be nothing but underscores.
 */
export function variableFor(name: string, recorded: string | null): string | null {
  if (recorded !== null) return recorded;
  const variable = spell(name);
  return /^\d/u.test(variable) ? null : variable || null;
}

/** The caller's environment without our credentials, as a new object without prototype. */
export function withoutOurCredentials(
  environment: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  const rest = emptyEnvironment();
  for (const [variable, value] of Object.entries(environment)) {
    if (value !== undefined && !credentials.has(fold(variable, platform))) rest[variable] = value;
  }
  return rest;
}

/**
 * The environment for a child.
 *
 * @throws UsageError `NAME_COLLISION` if two secrets, or a secret and a literal, want one variable; `USAGE` for a selected
 *   secret without a valid variable, a value that cannot be a variable, and without `override` for a hazardous variable
 *   and one that the caller has with another value.
 */
export function buildEnvironment(options: EnvironmentOptions): BuiltEnvironment {
  const { platform = process.platform, prefix } = options;
  if (prefix !== '' && !isVariable(prefix)) {
    throw new UsageError(`${JSON.stringify(prefix)} cannot begin a variable`, {
      hint: 'use ASCII letters, digits and `_`, not beginning with a digit',
    });
  }
  const environment = inherited(options, platform);
  const warnings = Object.entries(environment)
    .filter(([, value]) => value.includes('\uFFFD'))
    .map(([variable]) => `${variable} of your environment is not UTF-8; the program gets it changed`);

  const assignments = [...fromLiterals(options.literals ?? {}), ...fromSecrets(options, warnings, platform)];
  refuseCollisions(assignments, platform);
  if (!options.override) refuseReplacing(assignments, environment, platform);

  const present = byFoldedName(environment, platform);
  for (const { variable, value } of assignments) {
    const other = present.get(fold(variable, platform));
    // Windows would keep `Path` beside `PATH` and hand over only one of them.
    // oxlint-disable-next-line typescript/no-dynamic-delete -- the environment has no other way
    if (other !== undefined) delete environment[other];
    environment[variable] = value;
  }
  return { environment, warnings };
}

interface Assignment {
  readonly variable: string;
  readonly value: string;
  /** What the value comes from, for messages. */
  readonly source: string;
}

function fromLiterals(literals: Readonly<Record<string, string>>): Assignment[] {
  return Object.entries(literals).map(([variable, value]) => {
    if (!isVariable(variable)) throw new UsageError(`${JSON.stringify(variable)} cannot be a variable`);
    if (value.includes('\0')) throw new UsageError(`the value for ${variable} has a NUL byte`);
    return { variable, value, source: 'a plain value' };
  });
}

function fromSecrets(
  options: EnvironmentOptions,
  warnings: string[],
  platform: NodeJS.Platform,
): Assignment[] {
  const assignments: Assignment[] = [];
  for (const secret of options.secrets) {
    const quoted = JSON.stringify(secret.name);
    const source = secret.previous === true ? `the previous value of ${quoted}` : quoted;
    const own = prefixed(secret, options.prefix);
    const variable = secret.previous === true && own !== null ? `${own}_PREVIOUS` : own;
    if (variable !== null && isVariable(variable)) {
      assignments.push({ variable, value: text(secret, variable, platform), source });
      continue;
    }
    const problem =
      variable === null
        ? `no variable can be made of the name ${source}`
        : `${JSON.stringify(variable)} of ${source} cannot be a variable`;
    if (secret.selected) throw new UsageError(problem, { hint: 'give it one with --map VAR=NAME' });
    warnings.push(`skipped a secret: ${problem}`);
  }
  return assignments;
}

function prefixed(secret: SecretVariable, prefix: string): string | null {
  if (secret.mapped === true) return variableFor(secret.name, secret.variable);
  const variable = secret.variable ?? spell(secret.name);
  // Checked with the prefix before it: `APP_` makes `2fa` a variable.
  return variable === '' || (prefix === '' && /^\d/u.test(variable)) ? null : prefix + variable;
}

/** Upper case of ASCII, `_` per other character; empty if nothing but underscores is left. */
function spell(name: string): string {
  // Replaced first: upper case of `ß` is `SS`.
  const variable = name.replace(/[^A-Za-z0-9]/gu, '_').toUpperCase();
  return /^_*$/u.test(variable) ? '' : variable;
}

/**
 * What may be set. The system allows anything but `=` and NUL, and imported names such as `log.level` are in use; what a
 * shell or a log could take for something else is not allowed.
 */
function isVariable(variable: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_.-]*$/u.test(variable);
}

function text(secret: SecretVariable, variable: string, platform: NodeJS.Platform): string {
  const cannot = (why: string): UsageError =>
    new UsageError(`the value of ${JSON.stringify(secret.name)} ${why}, so it cannot be a variable`, {
      hint: anotherWay,
    });
  const windows = platform === 'win32';
  if (secret.value.includes(0)) throw cannot('has a NUL byte');
  if (!windows && variable.length + secret.value.length + 2 > variableLimit) throw cannot('is too long');
  let value: string;
  try {
    value = decoder.decode(secret.value);
  } catch {
    // The cause is left out: it may quote the value.
    throw cannot('is not UTF-8 text');
  }
  if (windows && variable.length + value.length + 2 > windowsVariableLimit) throw cannot('is too long');
  return value;
}

function inherited(options: EnvironmentOptions, platform: NodeJS.Platform): Record<string, string> {
  const all = withoutOurCredentials(options.parent, platform);
  if (!options.pristine) return all;
  const kept = emptyEnvironment();
  for (const [variable, value] of Object.entries(all)) {
    const name = fold(variable, platform);
    const needed =
      platform === 'win32'
        ? pristineWindowsNames.has(name)
        : pristineNames.has(name) || name.startsWith('LC_');
    if (needed) kept[variable] = value;
  }
  return kept;
}

function refuseCollisions(assignments: readonly Assignment[], platform: NodeJS.Platform): void {
  const wanted = new Map<string, Assignment[]>();
  for (const assignment of assignments) {
    const key = fold(assignment.variable, platform);
    const others = wanted.get(key) ?? [];
    // The same secret selected twice is one.
    if (others.some((other) => other.source === assignment.source && other.value === assignment.value))
      continue;
    wanted.set(key, [...others, assignment]);
  }
  const collisions = [...wanted.values()].filter((same) => same.length > 1);
  if (collisions.length === 0) return;
  const list = collisions.map(
    (same) => `${same[0]?.variable ?? ''} from ${same.map(({ source }) => source).join(' and ')}`,
  );
  throw new UsageError(`more than one value for a variable: ${list.join('; ')}`, {}, 'NAME_COLLISION');
}

function refuseReplacing(
  assignments: readonly Assignment[],
  environment: Readonly<Record<string, string>>,
  platform: NodeJS.Platform,
): void {
  const present = byFoldedName(environment, platform);
  const problems: string[] = [];
  for (const { variable, value, source } of assignments) {
    const other = present.get(fold(variable, platform));
    if (isHazardous(variable, platform)) {
      problems.push(`${variable} (from ${source}) can change which code a program runs`);
    } else if (other !== undefined && environment[other] !== value) {
      problems.push(`${variable} (from ${source}) is in your environment with another value`);
    }
  }
  if (problems.length === 0) return;
  throw new UsageError(`refusing to set ${problems.join('; ')}`, {
    hint: 'give the secret another variable with --map or --prefix, or allow it with --override',
  });
}

/** Names as the platform compares them. */
function fold(variable: string, platform: NodeJS.Platform): string {
  return platform === 'win32' ? variable.toUpperCase() : variable;
}

function byFoldedName(
  environment: Readonly<Record<string, string>>,
  platform: NodeJS.Platform,
): Map<string, string> {
  return new Map(Object.keys(environment).map((variable) => [fold(variable, platform), variable]));
}

function emptyEnvironment(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}
