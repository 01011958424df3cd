/** Bounds on what a server sends, before a client library sees it. A conversation with an honest one is some kilobytes long. */
import { Socket } from 'node:net';
import type { Job } from './session.ts';

/** Bytes of a whole session. */
const mostBytes = 2 ** 20;

/** From now on, for all sockets of this process: one that brings more than fits is closed. */
export function receiveAtMost(server: Job['server']): void {
  // What a socket has read, decrypted, comes in here; there is no other place before the first listener.
  const push = Reflect.get(Socket.prototype, 'push');
  const redis = server === 'redis' ? new RespBounds() : null;
  let left = mostBytes;
  Socket.prototype.push = function bounded(this: Socket, chunk: Uint8Array | null, ...more) {
    left -= chunk?.length ?? 0;
    if (left >= 0 && (chunk === null || redis?.allows(chunk) !== false))
      return push.call(this, chunk, ...more);
    this.destroy(Object.assign(new Error('beyond the bounds'), { code: 'PROTOCOL' }));
    return false;
  };
}

/** One of RESP 2's five forms; the lengths of a bulk string and of an array are short ones. */
const form = /^(?:[+-][^\r]*|:-?\d{1,19}|\$(?<bytes>-1|\d{1,6})|\*(?:-1|\d{1,4}))\r$/u;
const longestLine = 2 ** 16;

/**
 * Lengths of RESP 2 ("Redis serialization protocol specification"): a client makes room for an array as soon as it reads of how many, and
 * descends into each.
 */
class RespBounds {
  #line = '';
  /** Bytes of a bulk string, and of the end of its line, that are still to come. */
  #inside = 0;
  #arraysLeft = 256;

  /** Whether it may go on after these bytes. */
  allows(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) {
      const skipped = Math.min(this.#inside, chunk.length - at);
      this.#inside -= skipped;
      at += skipped;
      if (at === chunk.length) return true;
      const end = chunk.indexOf(0x0a, at);
      this.#line += Buffer.from(chunk.subarray(at, end === -1 ? chunk.length : end)).toString('latin1');
      if (this.#line.length > longestLine) return false;
      if (end === -1) return true;
      if (!this.#isWithin(this.#line)) return false;
      this.#line = '';
      at = end + 1;
    }
    return true;
  }

  #isWithin(line: string): boolean {
    const found = form.exec(line);
    if (found === null) return false;
    if (line.startsWith('*')) this.#arraysLeft -= 1;
    const bytes = Number(found.groups?.['bytes'] ?? -1);
    this.#inside = bytes === -1 ? 0 : bytes + 2;
    return this.#arraysLeft >= 0;
  }
}
