/**
 * A file system in memory, as far as the port goes: for the rehearsal at build time, and for tests that must not touch a disk.
 * One folder level, no links, no permissions.
 */
import { constants, type PathLike } from 'node:fs';
import type { FileSystem } from './file-system.ts';

interface Node {
  bytes: Uint8Array<ArrayBuffer>;
  readonly id: number;
}

function missing(path: PathLike): Error {
  return Object.assign(new Error(`no such file: ${String(path)}`), { code: 'ENOENT' });
}

export function memoryFileSystem(): FileSystem {
  const files = new Map<string, Node>();
  const open = new Map<number, { node: Node; append: boolean; position: number }>();
  let next = 100;
  const handle = (descriptor: number): { node: Node; append: boolean; position: number } => {
    const found = open.get(descriptor);
    if (found === undefined) throw Object.assign(new Error('bad descriptor'), { code: 'EBADF' });
    return found;
  };
  const isFolder = (path: string): boolean =>
    [...files.keys()].some((name) => name.startsWith(path.endsWith('/') ? path : `${path}/`));
  const statOf = (node: Node, bigint: boolean, folder = false): unknown => {
    const numbers = { dev: 1, ino: node.id, size: node.bytes.length, mode: 0o100600, uid: 0 };
    const facts = { isFile: () => !folder, isSymbolicLink: () => false, isDirectory: () => folder };
    if (!bigint) return { ...numbers, ...facts };
    return {
      ...facts,
      dev: 1n,
      ino: BigInt(node.id),
      size: BigInt(node.bytes.length),
      mtimeNs: 0n,
      ctimeNs: 0n,
    };
  };
  const port = {
    openSync: (path: PathLike, flags: number): number => {
      const key = String(path);
      next += 1;
      let node = files.get(key);
      // A folder, opened to be flushed.
      if (node === undefined && isFolder(key)) node = { bytes: new Uint8Array(0), id: next };
      else if (node === undefined) {
        if ((flags & constants.O_CREAT) === 0) throw missing(path);
        node = { bytes: new Uint8Array(0), id: next };
        files.set(key, node);
      } else if ((flags & constants.O_EXCL) !== 0)
        throw Object.assign(new Error('exists'), { code: 'EEXIST' });
      open.set(next, { node, append: (flags & constants.O_APPEND) !== 0, position: 0 });
      return next;
    },
    closeSync: (descriptor: number): void => void open.delete(descriptor),
    fstatSync: (descriptor: number, options?: { bigint?: boolean }) =>
      statOf(handle(descriptor).node, options?.bigint === true),
    lstatSync: (path: PathLike, options?: { throwIfNoEntry?: boolean }) => {
      const node = files.get(String(path));
      if (node !== undefined) return statOf(node, false);
      if (!isFolder(String(path)) && options?.throwIfNoEntry === false) return undefined;
      if (!isFolder(String(path))) throw missing(path);
      return statOf({ bytes: new Uint8Array(0), id: 1 }, false, true);
    },
    readSync: (
      descriptor: number,
      buffer: Uint8Array,
      offset: number,
      length: number,
      position: number,
    ): number => {
      const piece = handle(descriptor).node.bytes.subarray(position, position + length);
      buffer.set(piece, offset);
      return piece.length;
    },
    writeSync: (
      descriptor: number,
      bytes: Uint8Array,
      offset = 0,
      length = bytes.length - offset,
    ): number => {
      const file = handle(descriptor);
      const start = file.append ? file.node.bytes.length : file.position;
      const grown = new Uint8Array(Math.max(file.node.bytes.length, start + length));
      grown.set(file.node.bytes);
      grown.set(bytes.subarray(offset, offset + length), start);
      file.node.bytes = grown;
      file.position = start + length;
      return length;
    },
    fsyncSync: (): void => undefined,
    ftruncateSync: (descriptor: number, length: number): void => {
      const { node } = handle(descriptor);
      node.bytes = node.bytes.slice(0, length);
    },
    renameSync: (from: PathLike, to: PathLike): void => {
      const node = files.get(String(from));
      if (node === undefined) throw missing(from);
      files.delete(String(from));
      files.set(String(to), node);
    },
    unlinkSync: (path: PathLike): void => {
      if (!files.delete(String(path))) throw missing(path);
    },
    mkdirSync: (): undefined => undefined,
    realpathSync: (path: PathLike): string => String(path),
    readdirSync: (): string[] => [],
  };
  return port as unknown as FileSystem;
}
