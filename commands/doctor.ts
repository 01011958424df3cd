/** `vault doctor`: what is wrong, and how to mend it. */
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { IntegrityError } from '../src/errors.ts';
import type { Finding } from '../src/vault/health/finding.ts';
import { findingIds, integrityFindings, type FindingId } from '../src/vault/health/finding-kinds.ts';
import type { Examination } from '../src/vault/operations/doctor.ts';
import { examples, oneOfWords, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { isTrusted, trustKey } from './hook-choice.ts';

interface DoctorFlags {
  readonly strict?: boolean;
  readonly ignore?: ReadonlySet<FindingId>;
}

/** More names than that are counted for people, and listed with --json. */
const mostNames = 8;
const titles = { problem: 'Problems', warning: 'Warnings', note: 'Notes' } as const;

export const declareDoctor: Declare = (program, act) => {
  const command = program
    .command('doctor')
    .description('say what is wrong with secrets, keys and files, and how to mend it; never shows a value')
    .option('--strict', 'exit 1 if there is a problem or a warning; notes never count')
    .option('--ignore <id>', 'leave out what has this id (docs/health.md); may be given again', collectIds)
    .action(act<DoctorFlags>(runDoctor));
  return examples(
    command,
    'vault doctor',
    'vault doctor --env production',
    'vault doctor --strict --ignore never-rotated',
    'vault doctor --json',
  );
};

function collectIds(text: string, before: ReadonlySet<string> = new Set()): Set<string> {
  const id = oneOfWords(findingIds)(text);
  if (integrityFindings.has(id as FindingId)) throw new InvalidArgumentError('this cannot be ignored.');
  return new Set(before).add(id);
}

async function runDoctor(context: Context, { strict, ignore }: DoctorFlags): Promise<number> {
  const { examineVault } = await import('../src/vault/operations/doctor.ts');
  const vault = await context.openVault();
  const progress = context.progress();
  const { findings: all, counts } = await vault
    .read('doctor', async (scope) =>
      examineVault(scope, vault.place, {
        environment: context.globals.env ?? null,
        known: vault.rememberedLog,
        passphraseInEnvironment: context.variable('VAULT_PASSPHRASE') !== null,
        credentialFiles: credentialFiles(context),
        isAccepted: async (hook) =>
          isTrusted(context, {
            definition: hook.definition,
            origin: 'policy',
            key: trustKey(context, vault.authority.domain.vaultId, hook),
          }),
        progress: (done) => {
          progress.show(`looked at ${done} secrets`);
        },
      }),
    )
    .finally(() => {
      progress.end();
    });
  const findings = all.filter(({ id }) => ignore?.has(id) !== true);
  const ignored = all.length - findings.length;
  const ok = findings.every(({ severity }) => severity === 'note');
  if (context.json) context.outputJson({ ok, findings, counts, ignored });
  else await show(context, findings, counts, ignored);
  if (findings.some(({ id }) => integrityFindings.has(id)))
    throw new IntegrityError('something does not hold together: the report says what', {
      hint: '`vault verify` says more; see to it as the report says before you write',
    });
  return strict === true && !ok ? 1 : 0;
}

/** Files that what unlocks is read from, whichever of them was used now. */
function credentialFiles(context: Context): string[] {
  const named = [
    context.variable('VAULT_PASSPHRASE_FILE'),
    context.variable('VAULT_ACCESS_TOKEN_FILE'),
    context.globals.keyFile ?? context.variable('VAULT_KEY_FILE'),
    context.variable('VAULT_PKCS11_PIN_FILE'),
    context.variable('VAULT_AGE_IDENTITY'),
  ];
  // `-` is standard input.
  return named.flatMap((path) =>
    path === null || path === '' || path === '-' ? [] : [resolve(context.host.cwd, path)],
  );
}

async function show(
  context: Context,
  findings: readonly Finding[],
  counts: Examination['counts'],
  ignored: number,
): Promise<void> {
  const style = await context.style();
  const marks = { problem: style.error, warning: style.warning, note: style.heading };
  for (const severity of ['problem', 'warning', 'note'] as const) {
    const own = findings.filter((one) => one.severity === severity);
    if (own.length === 0) continue;
    context.output(`${marks[severity](titles[severity])}\n`);
    for (const one of own) context.output(lines(context, one));
    context.output('\n');
  }
  context.output(`${lastLine(findings, counts, ignored)}\n`);
}

function lines(context: Context, { id, environment, names, message, hint }: Finding): string {
  const shown = names.slice(0, mostNames).map((name) => context.shown(name));
  const more = names.length - shown.length;
  const list = [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
  const where = environment === null ? '' : `${environment}: `;
  const head = context.forTerminal(`${where}${message}`);
  return `  ${head}${list === '' ? '' : `: ${list}`}\n    [${id}] ${context.forTerminal(hint)}\n`;
}

function lastLine(
  findings: readonly Finding[],
  { secrets, environments }: Examination['counts'],
  ignored: number,
): string {
  const many = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;
  const count = (severity: Finding['severity']): number =>
    findings.filter((one) => one.severity === severity).length;
  const found = (['problem', 'warning', 'note'] as const).flatMap((severity) =>
    count(severity) === 0 ? [] : [many(count(severity), severity)],
  );
  const result = found.length === 0 ? 'nothing is wrong' : found.join(', ');
  const left = ignored === 0 ? '' : `; ${ignored} ignored`;
  return `${many(secrets, 'secret')} in ${many(environments, 'environment')}: ${result}${left}`;
}
