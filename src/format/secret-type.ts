/** What kinds of secrets there are. docs/format.md section 5. */
export const secretTypes = [
  'api-key',
  'password',
  'database-credential',
  'certificate',
  'encryption-key',
  'token',
  'ssh-key',
  'note',
  'other',
] as const;

export type SecretType = (typeof secretTypes)[number];
