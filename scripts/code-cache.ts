/**
 * Node adds to a start-up snapshot compiled code of all its own modules, four megabytes that every start copies. None of it is ever used: it
 * was compiled in the Node that built the snapshot, and V8 takes compiled code only where the read-only part of the heap has the
 * checksum that it had there. A snapshot has one of its own. So all of it is taken out.
 *
 * Node compiles from its sources, as it did before. The blob is changed in place: Node reads as many entries as it says. The layout is Node's
 * own (src/node_sea.cc, src/node_snapshotable.cc), not documented and of this version; where it is another one, the build fails.
 */

const seaMagic = 0x0143da20;
const snapshotMagic = 0x0143da19;
const moduleId = /^[a-z_][\w/-]{1,99}$/;

/** A `size_t`, followed by as many bytes. */
interface Sized {
  readonly start: number;
  readonly end: number;
}

function sizeAt(bytes: Buffer, at: number): number {
  return at + 8 <= bytes.length && bytes.readUInt32LE(at + 4) === 0 ? bytes.readUInt32LE(at) : -1;
}

function sized(bytes: Buffer, at: number): Sized | null {
  const size = sizeAt(bytes, at);
  const start = at + 8;
  return size < 0 || start + size > bytes.length ? null : { start, end: start + size };
}

/** Where the name of a module of Node ends that begins here, if one does. */
function idEnd(bytes: Buffer, at: number): number | undefined {
  const size = sizeAt(bytes, at);
  if (size < 2 || size > 100 || at + 8 + size > bytes.length) return undefined;
  return moduleId.test(bytes.toString('latin1', at + 8, at + 8 + size)) ? at + 8 + size : undefined;
}

/** The snapshot in a binary. */
export function findSnapshot(binary: Buffer): Buffer {
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

/** Where the vector begins that ends with the snapshot: at least 32 elements, each the name of a module and its code. */
function findCodeCache(snapshot: Buffer): number {
  for (let at = 0; at < snapshot.length; at++) {
    const count = sizeAt(snapshot, at);
    if (count < 32 || count > 4_096) continue;
    let end: number | undefined = at + 8;
    for (let read = 0; read < count && end !== undefined; read++) {
      const code: number | undefined = idEnd(snapshot, end);
      end = code === undefined ? undefined : sized(snapshot, code)?.end;
    }
    if (end === snapshot.length) return at;
  }
  throw new Error('the snapshot of this Node is laid out in another way');
}

/**
 * Take the compiled code out of the snapshot of a binary (changed in place).
 * @returns bytes taken out
 */
export function dropCodeCache(binary: Buffer): number {
  const snapshot = findSnapshot(binary);
  const at = findCodeCache(snapshot);
  snapshot.fill(0, at);
  return snapshot.length - at;
}
