/**
 * What is wrong with a vault and its place, and how to mend it. Values are opened where the principal may read, judged, and wiped; none is
 * shown or kept. docs/health.md.
 */
import { IntegrityError } from '../../errors.ts';
import type { EnvironmentEntry } from '../../format/lines.ts';
import type { RememberedLog } from '../../storage/state-store.ts';
import { environmentKeys, examineAccess } from '../health/access.ts';
import { finding, type Finding } from '../health/finding.ts';
import type { FindingId, Severity } from '../health/finding-kinds.ts';
import { examineHooks, type IsAccepted } from '../health/hooks.ts';
import { credentialFindings } from '../health/permissions.ts';
import { examinePlace, logDamage } from '../health/place.ts';
import { secretFindings } from '../health/secrets.ts';
import { countsOf, surveyEnvironment, type Survey, type SurveyCounts } from '../health/survey.ts';
import { findUnused, type Unused } from '../health/unused.ts';
import { ValueCheck } from '../health/values.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';

export interface DoctorOptions {
  /** Only this environment; `null` for all that the principal can open. */
  readonly environment: string | null;
  /** What this machine remembers of the log. */
  readonly known: RememberedLog | null;
  /** Whether the environment of this process has the passphrase. */
  readonly passphraseInEnvironment: boolean;
  /** Files that credentials are read from, absolute. */
  readonly credentialFiles: readonly string[];
  readonly isAccepted: IsAccepted;
  /** Told now and then how many secrets have been looked at. */
  readonly progress?: (done: number) => void;
}

export interface HealthCounts extends SurveyCounts {
  /** Environments that were looked at. */
  readonly environments: number;
  readonly damaged: number;
  /** `null` where no value could be read. */
  readonly weak: number | null;
  /** Secrets whose value another one of a different name has, too; `null` as before. */
  readonly reused: number | null;
  /** `null` where the audit log does not reach back far enough to know. */
  readonly unused: number | null;
}

export interface Examination {
  /** Problems first. */
  readonly findings: readonly Finding[];
  readonly counts: HealthCounts;
}

const often = 256;
const order: Readonly<Record<Severity, number>> = { problem: 0, warning: 1, note: 2 };

/** @throws UsageError for an environment that there is not; AccessDeniedError for one that is named and not open */
export async function examineVault(scope: Scope, place: Place, options: DoctorOptions): Promise<Examination> {
  const { environment } = options;
  const { environments } = scope.authority.header;
  const open = new Set(scope.accessible());
  const named = environment === null ? null : scope.entry(environment);
  if (named !== null) scope.trace.environment = named.id;
  const wanted = named === null ? environments.filter((entry) => open.has(entry)) : [named];
  const closed = named === null ? environments.filter((entry) => !open.has(entry)) : [];
  const values = new ValueCheck(place.random);
  try {
    const secrets = await examineSecrets(scope, wanted, values, options.progress);
    const { others, surveys } = secrets;
    const states = surveys.flatMap(({ survey }) => survey.states);
    const around = await examinePlace(scope, place, options.known);
    const unused = await orDamage(
      place,
      async () => findUnused(scope, place, states),
      (damage): Unused => ({
        count: null,
        findings: [damage],
      }),
    );
    const hooks = await orDamage(
      place,
      async () => examineHooks(scope, place, states, options.isAccepted),
      (damage) => [damage],
    );
    const findings = [
      ...others,
      ...surveys.flatMap(({ entry, survey }) => secretFindings(entry.name, survey, scope.now)),
      ...values.findings(),
      ...hooks,
      ...unused.findings,
      ...unread(closed, secrets.unread),
      ...(await examineAccess(scope)),
      ...around,
      ...credentialFindings(place.fs, options.credentialFiles),
      ...(options.passphraseInEnvironment
        ? [finding('passphrase-in-environment', 'the passphrase is in the environment of this process')]
        : []),
    ];
    const couldRead = secrets.unread.length < surveys.length;
    const sum = countsOf({
      present: surveys.reduce((total, { survey }) => total + survey.present, 0),
      states,
    });
    return {
      findings: withoutRepeated(findings, 'audit-log-damaged').sort(
        (a, b) => order[a.severity] - order[b.severity],
      ),
      counts: {
        environments: surveys.length,
        ...sum,
        damaged: surveys.reduce((total, { survey }) => total + survey.damaged.length, 0),
        weak: couldRead ? values.weak : null,
        reused: couldRead ? values.reused : null,
        unused: unused.count,
      },
    };
  } finally {
    values.close();
  }
}

interface Examined {
  readonly surveys: readonly { readonly entry: EnvironmentEntry; readonly survey: Survey }[];
  /** Names of environments whose values the principal cannot read. */
  readonly unread: readonly string[];
  /** Of environments as such: those that do not hold together, keys that are due. */
  readonly others: readonly Finding[];
}

async function examineSecrets(
  scope: Scope,
  entries: readonly EnvironmentEntry[],
  values: ValueCheck,
  progress: (done: number) => void = () => undefined,
): Promise<Examined> {
  const surveys: { entry: EnvironmentEntry; survey: Survey }[] = [];
  const unreadable: string[] = [];
  const unsound: Finding[] = [];
  const keys: Finding[] = [];
  let done = 0;
  for (const entry of entries) {
    try {
      const canRead = (await scope.readerOf(entry)).keys.value !== null;
      const survey = await surveyEnvironment(scope, entry, async (secret) => {
        if (canRead) await values.look(secret);
        done += 1;
        if (done % often === 0) progress(done);
      });
      keys.push(...(await rekeyFindings(scope, entry)));
      surveys.push({ entry, survey });
      if (!canRead) unreadable.push(entry.name);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      const message = `the environment does not hold together: ${error.message}`;
      unsound.push(finding('secret-damaged', message, { environment: entry.name }));
    }
  }
  return { surveys, unread: unreadable, others: [...unsound, ...keys] };
}

async function rekeyFindings(scope: Scope, entry: EnvironmentEntry): Promise<Finding[]> {
  const { keysSince, rekeyDue } = await environmentKeys(scope, entry);
  if (!rekeyDue || keysSince === null) return [];
  return [
    finding('rekey-due', `the keys are those of ${keysSince.slice(0, 10)}`, { environment: entry.name }),
  ];
}

/** A log that cannot be read to its end is a finding, like one that does not hold. */
async function orDamage<T>(place: Place, work: () => Promise<T>, damaged: (found: Finding) => T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    return damaged(logDamage(place, error));
  }
}

/** The last one of an id: several look at the same. */
function withoutRepeated(findings: readonly Finding[], id: FindingId): Finding[] {
  const last = findings.findLast((one) => one.id === id);
  return findings.filter((one) => one.id !== id || one === last);
}

function unread(closed: readonly EnvironmentEntry[], listed: readonly string[]): Finding[] {
  return [
    ...listed.map((environment) =>
      finding('values-not-read', 'you may list it and not read it: values were not looked at', {
        environment,
      }),
    ),
    ...closed.map(({ name }) =>
      finding('environment-not-open', 'you have no access: nothing was looked at', { environment: name }),
    ),
  ];
}
