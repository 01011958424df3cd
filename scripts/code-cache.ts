/**
 * Node adds to a start-up snapshot compiled code of all its own modules, four megabytes that every start copies. Those that are in the heap
 * already are never compiled again, and most of the others are no part of this program: their code is taken out.
 *
 * What is taken out would be compiled from its source, which stays; so nothing breaks, whatever is kept. The blob is changed in place:
 * Node reads as many entries as it says. The layout is Node's own (src/node_sea.cc, src/node_snapshotable.cc), not documented and
 * of this version; where it is another one, the build fails.
 */

const seaMagic = 0x0143da20;
const snapshotMagic = 0x0143da19;
const moduleId = /^[a-z_][\w/-]{1,99}$/;

/** A `size_t`, followed by as many bytes. */
interface Sized {
  readonly start: number;
  readonly end: number;
}

interface Entry extends Sized {
  readonly id: string;
}

function sizeAt(bytes: Buffer, at: number): number {
  return at + 8 <= bytes.length && bytes.readUInt32LE(at + 4) === 0 ? bytes.readUInt32LE(at) : -1;
}

function sized(bytes: Buffer, at: number): Sized | null {
  const size = sizeAt(bytes, at);
  const start = at + 8;
  return size < 0 || start + size > bytes.length ? null : { start, end: start + size };
}

function idAt(bytes: Buffer, at: number): { id: string; end: number } | null {
  const size = sizeAt(bytes, at);
  if (size < 2 || size > 100 || at + 8 + size > bytes.length) return null;
  const id = bytes.toString('latin1', at + 8, at + 8 + size);
  return moduleId.test(id) ? { id, end: at + 8 + size } : null;
}

/** The snapshot in a binary. */
function findSnapshot(binary: Buffer): Buffer {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(seaMagic);
  for (let at = binary.indexOf(magic); at >= 0; at = binary.indexOf(magic, at + 1)) {
    // Magic, flags, how options may be added, which kind of module it is, the path of the program.
    const path = sized(binary, at + 10);
    const snapshot = path === null ? null : sized(binary, path.end);
    if (snapshot !== null && binary.readUInt32LE(snapshot.start) === snapshotMagic)
      return binary.subarray(snapshot.start, snapshot.end);
  }
  throw new Error('there is no snapshot in the binary');
}

/** The first vector of at least 32 elements that all can be read. */
function findVector<T extends { readonly end: number }>(
  bytes: Buffer,
  read: (at: number) => T | null,
  isWhole: (end: number) => boolean,
): { readonly at: number; readonly elements: readonly T[] } {
  for (let at = 0; at < bytes.length; at++) {
    const count = sizeAt(bytes, at);
    if (count < 32 || count > 4_096) continue;
    const elements: T[] = [];
    let end = at + 8;
    while (elements.length < count) {
      const element = read(end);
      if (element === null) break;
      elements.push(element);
      ({ end } = element);
    }
    if (elements.length === count && isWhole(end)) return { at, elements };
  }
  throw new Error('the snapshot of this Node is laid out in another way');
}

/**
 * Take code out of the snapshot of a binary (changed in place).
 * @param wanted modules of Node that may be loaded after the start
 * @returns bytes of code before and after
 */
export function trimCodeCache(
  binary: Buffer,
  wanted: ReadonlySet<string>,
): { before: number; after: number } {
  const snapshot = findSnapshot(binary);
  const loaded = findVector(
    snapshot,
    (at) => idAt(snapshot, at),
    () => true,
  );
  const inHeap = new Set(loaded.elements.map(({ id }) => id));
  const cache = findVector<Entry>(
    snapshot,
    (at) => {
      const id = idAt(snapshot, at);
      const code = id === null ? null : sized(snapshot, id.end);
      return id === null || code === null ? null : { id: id.id, start: at, end: code.end };
    },
    (end) => end === snapshot.length,
  );
  const kept = cache.elements.filter(({ id }) => wanted.has(id) && !inHeap.has(id));
  const pieces = kept.map(({ start, end }) => Buffer.from(snapshot.subarray(start, end)));
  const before = snapshot.length - cache.at;
  const after = Buffer.concat(pieces);
  snapshot.fill(0, cache.at);
  snapshot.writeUInt32LE(kept.length, cache.at);
  after.copy(snapshot, cache.at + 8);
  return { before, after: after.length };
}
