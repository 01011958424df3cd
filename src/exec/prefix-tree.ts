/** A set of byte strings that says how far any of them agrees with given bytes, in one walk however many there are. */

interface Node {
  /** The bytes between the parent and here. */
  readonly label: Uint8Array;
  /** Whether one of the strings ends here. */
  complete: boolean;
  /** By the first byte of their labels. */
  readonly children: Map<number, Node>;
}

/** What is found at a position. */
export interface Agreement {
  /** Bytes of the longest string that stands there whole, or 0. */
  readonly longest: number;
  /** Whether the bytes end before a longer string does that agrees so far. */
  readonly open: boolean;
}

const none: Agreement = { longest: 0, open: false };

export class PrefixTree {
  readonly #root = node(new Uint8Array(), false);

  /** Keeps a reference to `bytes`. */
  add(bytes: Uint8Array): void {
    let parent = this.#root;
    for (let at = 0; ;) {
      const rest = bytes.subarray(at);
      const first = rest[0];
      if (first === undefined) {
        parent.complete = true;
        return;
      }
      const child = parent.children.get(first);
      if (child === undefined) {
        parent.children.set(first, node(rest, true));
        return;
      }
      const common = commonLength(child.label, rest);
      parent = common === child.label.length ? child : split(parent, child, common);
      at += common;
    }
  }

  find(bytes: Uint8Array, position: number): Agreement {
    let current = this.#root;
    let longest = 0;
    for (let at = position; ;) {
      if (current.complete) longest = at - position;
      if (at === bytes.length) return { longest, open: current.children.size > 0 };
      const child = current.children.get(bytes[at] ?? 0);
      if (child === undefined) return longest === 0 ? none : { longest, open: false };
      const { label } = child;
      const end = Math.min(label.length, bytes.length - at);
      for (let index = 1; index < end; index++) {
        if (label[index] !== bytes[at + index]) return longest === 0 ? none : { longest, open: false };
      }
      if (end < label.length) return { longest, open: true };
      at += end;
      current = child;
    }
  }
}

function node(label: Uint8Array, complete: boolean): Node {
  return { label, complete, children: new Map() };
}

/** A new node between the two, after `length` bytes of the child's label. */
function split(parent: Node, child: Node, length: number): Node {
  const between = node(child.label.subarray(0, length), false);
  const below: Node = { ...child, label: child.label.subarray(length) };
  between.children.set(below.label[0] ?? 0, below);
  parent.children.set(between.label[0] ?? 0, between);
  return between;
}

function commonLength(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}
