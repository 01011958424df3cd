/** What a certificate (RFC 5280) says of itself, read from the PEM text that was stored, whatever else is in it: a key, or the chain above. */
import { X509Certificate } from 'node:crypto';
import { SecretNotFoundError } from '../errors.ts';
import { utf8, type Bytes } from '../crypto/bytes.ts';

const block = /-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+?-----END CERTIFICATE-----/u;

/** The first certificate in a value, which is the one that is used; those above it follow (RFC 8446 section 4.4.2). `null` without one. */
function certificateIn(value: Bytes): X509Certificate | null {
  const [pem] =
    block.exec(Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')) ?? [];
  if (pem === undefined) return null;
  try {
    const certificate = new X509Certificate(pem);
    // A time that is none, which its parser lets pass, makes it no certificate (RFC 5280 section 4.1.2.5).
    const times = [certificate.validFrom, certificate.validTo];
    return times.some((time) => Number.isNaN(Date.parse(time))) ? null : certificate;
  } catch {
    return null;
  }
}

/** When the certificate in a value ends, or `null` where there is none. */
export function certificateExpiry(value: Bytes): Date | null {
  const certificate = certificateIn(value);
  return certificate === null ? null : new Date(certificate.validTo);
}

/** Node quotes a name that has a comma or the like in it. */
const oneName = /(?:[^",]|"(?:[^"\\]|\\.)*")+/gu;

const fields: Readonly<Record<string, (certificate: X509Certificate) => string>> = {
  subject: ({ subject }) => subject,
  issuer: ({ issuer }) => issuer,
  /** Subject alternative names, one a line. */
  names: ({ subjectAltName = '' }) =>
    (subjectAltName.match(oneName) ?? []).map((name) => name.trim()).join('\n'),
  serial: ({ serialNumber }) => serialNumber,
  fingerprint: ({ fingerprint256 }) => fingerprint256,
  starts: ({ validFrom }) => new Date(validFrom).toISOString(),
  expires: ({ validTo }) => new Date(validTo).toISOString(),
};

const certificateFields = Object.keys(fields);

/** One of `certificateFields`; caller wipes. @throws SecretNotFoundError FIELD_NOT_FOUND for another one, or without a certificate */
export function certificateField(value: Bytes, field: string): Bytes {
  const read = Object.hasOwn(fields, field) ? fields[field] : undefined;
  const missing = (what: string): SecretNotFoundError =>
    new SecretNotFoundError(
      what,
      { hint: `a certificate has ${certificateFields.join(', ')}` },
      'FIELD_NOT_FOUND',
    );
  if (read === undefined) throw missing(`a certificate has no field ${JSON.stringify(field)}`);
  const certificate = certificateIn(value);
  if (certificate === null) throw missing('the value has no certificate in PEM');
  return utf8(read(certificate));
}
