/** After how many days secrets are to be rotated, as a value of the policy: `90`, `api-key=30`, `90,api-key=30,certificate=0`; 0 is never. */
import { secretTypes, type SecretType } from '../format/secret-type.ts';

export interface RotationIntervals {
  /** Of types that are not named, in days; `null` where nothing is said. */
  readonly all: number | null;
  readonly byType: ReadonlyMap<SecretType, number>;
}

const most = 36_500;

/** `null` for text that is none. */
export function parseIntervals(text: string): RotationIntervals | null {
  let all: number | null = null;
  const byType = new Map<SecretType, number>();
  for (const part of text.split(',')) {
    const [, type, days] = /^(?:([a-z-]+)=)?(0|[1-9]\d{0,4})$/u.exec(part) ?? [];
    if (days === undefined || Number(days) > most) return null;
    if (type === undefined) {
      if (all !== null) return null;
      all = Number(days);
    } else {
      const known = secretTypes.find((one) => one === type);
      if (known === undefined || byType.has(known)) return null;
      byType.set(known, Number(days));
    }
  }
  return { all, byType };
}

/** Stored as the interval of a secret that no policy says anything of. */
export const neverRotated = Number.MAX_SAFE_INTEGER;

const daySeconds = 86_400;

/**
 * After how many seconds a secret is to be rotated; `null` for never. What is nearer to it counts: its own interval (0 for none, or
 * `neverRotated`), then what its environment says of its type and of all, then what the vault says.
 * @param policies of the environment, then of the vault
 */
export function intervalOf(
  own: number,
  type: SecretType,
  policies: readonly (RotationIntervals | null)[],
): number | null {
  if (own !== 0) return own === neverRotated ? null : own;
  for (const policy of policies) {
    const days = policy?.byType.get(type) ?? policy?.all ?? null;
    if (days !== null) return days === 0 ? null : days * daySeconds;
  }
  return null;
}
