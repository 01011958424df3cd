/** Settings of the hooks that the program brings: where each works, and on whom. docs/rotation.md. */
import { nameProblem } from './name.ts';

export interface Setting {
  readonly required: boolean;
  readonly meaning: string;
  /** Why a text will not do, or `null`. */
  readonly problem: (text: string) => string | null;
}

const setting =
  (required: boolean) =>
  (meaning: string, problem: Setting['problem']): Setting => ({ required, meaning, problem });
const needed = setting(true);
const optional = setting(false);

const matching = (form: RegExp, wanted: string) => (text: string) =>
  form.test(text) ? null : `it is no ${wanted}`;

/** Names with a comma between them. */
export function namesOf(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

const names = (least: number, most: number) => (text: string) => {
  const all = namesOf(text);
  if (all.includes('') || new Set(all).size !== all.length) return 'it is names with commas, each once';
  return all.length < least || all.length > most ? `it is ${least === most ? least : 'some'} names` : null;
};

/** A server of which values are told: with TLS, but for this machine. */
function addressProblem(text: string): string | null {
  const url = URL.parse(text);
  if (url?.username !== '' || url.password !== '') return 'it is no address of a server';
  const isPlain =
    url.protocol === 'http:' && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/u.test(url.hostname);
  return url.protocol === 'https:' || isPlain
    ? null
    : 'it has to begin with https:// (http:// for this machine alone)';
}

const tlsModes = ['verify-full', 'verify-ca', 'require', 'disable'] as const;

/** Where the hook works, and on whom: what it does not say, no credential can choose. */
const server = {
  host: needed('the server, as it stands in the credentials', matching(/^(?:\/[^\0]*|[\w.:-]+)$/u, 'host')),
  port: optional('its port, if not the usual one', matching(/^[1-9]\d{0,4}$/u, 'port')),
  admin: optional('secret of a user who may set the passwords; without it each sets its own', nameProblem),
  tls: optional(`${tlsModes.join(', ')}: by default the first, and for this machine the last`, (text) =>
    tlsModes.some((mode) => mode === text) ? null : `it is one of ${tlsModes.join(', ')}`,
  ),
  ca: optional(
    'file of a certificate to trust in place of the system’s',
    matching(/^\/[^\0]+$/u, 'absolute path'),
  ),
  timeout: optional(
    'seconds that a login, and what is done there, may take; 60 by default',
    matching(/^[1-9]\d{0,2}$/u, 'number of seconds, less than 1000'),
  ),
};

/** Hooks that the program brings, with the settings that they take. */
export const readyHooks = {
  postgres: { ...server, roles: needed('the roles whose passwords it may set, with commas', names(1, 64)) },
  'postgres-alternating': {
    ...server,
    admin: needed('secret of a role that may set both passwords', nameProblem),
    roles: needed('the two roles, with a comma', names(2, 2)),
  },
  redis: { ...server, users: needed('the users whose passwords it may set, with commas', names(1, 64)) },
  http: {
    apply: needed('where the new value is posted to', addressProblem),
    check: optional('where it is asked whether the new value works', addressProblem),
    undo: optional('where it is asked to go back to the old value', addressProblem),
    retire: optional('where it is asked to let the old value go', addressProblem),
    token: optional('secret that is sent as a bearer token', nameProblem),
  },
} as const satisfies Record<string, Readonly<Record<string, Setting>>>;
