/**
 * What `pkcs11-tool` prints about tokens and keys, as data. Written for people, it is the same from OpenSC 0.20 to today, but for
 * lines that newer ones add.
 *
 * Labels come from the device. One with a line break in it could pretend to be more than one object; whoever makes such a device
 * could as well sign wrongly.
 */

export interface Token {
  /** Number of its slot (CK_SLOT_ID), decimal. */
  readonly slot: string;
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  /** In the words of pkcs11-tool: `login required`, `final user PIN try` … */
  readonly flags: readonly string[];
  /** Bounds for a PIN, in bytes, where the token gives any. */
  readonly pinLength: { readonly least: number; readonly most: number } | null;
}

export interface PrivateKey {
  /** `RSA`, `EC`, `EC_EDWARDS` … */
  readonly type: string;
  /** `''` if it has none. */
  readonly label: string;
  /** Hexadecimal, lower case; `''` if it has none. */
  readonly id: string;
}

/** Tokens in the output of `--list-token-slots`; slots without an initialised token are passed over. */
export function parseTokens(text: string): Token[] {
  return blocksOf(text, /^Slot \d+ \(0x([0-9a-f]{1,16})\): /u).flatMap(({ first: [, slot = ''], fields }) => {
    const label = fields.get('token label');
    if (label === undefined) return [];
    const [, least = '0', most = '0'] = /^(\d+)\/(\d+)$/u.exec(fields.get('pin min/max') ?? '') ?? [];
    const pinLength = { least: Number(least), most: Number(most) };
    return {
      slot: String(BigInt(`0x${slot}`)),
      label,
      manufacturer: fields.get('token manufacturer') ?? '',
      model: fields.get('token model') ?? '',
      serial: fields.get('serial num') ?? '',
      flags: (fields.get('token flags') ?? '').split(', '),
      pinLength: pinLength.most > 0 && pinLength.least <= pinLength.most ? pinLength : null,
    };
  });
}

/** Keys in the output of `--list-objects --type privkey`. */
export function parsePrivateKeys(text: string): PrivateKey[] {
  return blocksOf(text, /^Private Key Object(?:; ?([\w-]*))?/u).map(({ first: [, type = ''], fields }) => ({
    type,
    label: fields.get('label') ?? '',
    id: /^[0-9a-f]+$/iu.exec(fields.get('ID') ?? '')?.[0].toLowerCase() ?? '',
  }));
}

interface Block {
  readonly first: RegExpExecArray;
  /** Of the indented lines under it; of two with one name the first. */
  readonly fields: ReadonlyMap<string, string>;
}

function blocksOf(text: string, start: RegExp): Block[] {
  const blocks: { first: RegExpExecArray; fields: Map<string, string> }[] = [];
  let open = false;
  for (const line of text.split(/\r?\n/u)) {
    const [, name, value] = /^ {2}(\w[^:]*?) *: *(.*?) *$/u.exec(line) ?? [];
    if (name !== undefined) {
      const fields = open ? blocks.at(-1)?.fields : undefined;
      if (fields?.has(name) === false) fields.set(name, value ?? '');
      continue;
    }
    const first = start.exec(line);
    // What else begins at the margin is another object, of a kind that is not wanted.
    open = first !== null;
    if (first !== null) blocks.push({ first, fields: new Map() });
  }
  return blocks;
}
