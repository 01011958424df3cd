/** Signing a line: `sig` is made over the line without it and put last. docs/format.md section 1. */
import { encodeBase64url } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import { sign, type SigningKey } from '../crypto/signature.ts';
import { encodeLine, unsignedPart, type Line } from '../format/json-line.ts';
import type { Shape } from '../format/schema.ts';

/** Sign an object whose members stand in the format's order, without `sig`. */
export async function signLine<T extends { readonly sig: string }>(
  domain: Domain,
  key: SigningKey,
  value: Omit<T, 'sig'>,
  shape: Shape<T>,
  what: string,
  label = 'sig',
): Promise<Line<T>> {
  const signature = await sign(key, domain.encode(label, unsignedPart(value)));
  return encodeLine({ ...value, sig: encodeBase64url(signature) } as unknown as T, shape, what);
}
