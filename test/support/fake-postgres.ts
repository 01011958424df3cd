/** A PostgreSQL server of one role, that does what is right (protocol 3.0, RFC 5802) or, where a test says so, something else. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { scramVerifier } from '../../src/crypto/scram.ts';

/** A message: its type, its length, what is in it. */
export function message(type: string, body: Uint8Array | string = ''): Buffer {
  const bytes = Buffer.from(body as string, 'latin1');
  const head = Buffer.alloc(5, type, 'latin1');
  head.writeUInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

export function authentication(kind: number, more = ''): Buffer {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(kind);
  return message('R', Buffer.concat([body, Buffer.from(more, 'latin1')]));
}

const ready = message('Z', 'I');
/** Of `select 1 as one`: a column of type int4, and a row. */
const one = Buffer.concat([
  message('T', `\0\u0001one\0${'\0'.repeat(9)}\u0017\0\u0004\u00ff\u00ff\u00ff\u00ff\0\0`),
  message('D', '\0\u0001\0\0\0\u00011'),
  message('C', 'SELECT 1\0'),
  ready,
]);

/** When something else may be done: when it is connected to, asked for a nonce, sent the proof, or a statement. */
type Moment = 'startup' | 'nonce' | 'proof' | 'statement';

export class FakePostgres {
  /** What is done in place of what is right. @returns false to do that as well */
  instead: Partial<Record<Moment, (socket: Socket) => unknown>> = {};
  readonly statements: string[] = [];
  /** All that was received. */
  received = '';
  #verifier: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(verifier: string) {
    this.#verifier = verifier;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      void this.#serve(socket).catch(() => socket.destroy());
    });
  }

  static async start(password: string): Promise<FakePostgres> {
    const server = new FakePostgres(await scramVerifier(password, new Uint8Array(randomBytes(16))));
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(socket: Socket): Promise<void> {
    const reader = new Reader(socket, (text) => (this.received += text));
    await reader.startup();
    const isTaken = (moment: Moment): boolean => {
      const act = this.instead[moment];
      return act !== undefined && act(socket) !== false;
    };
    if (isTaken('startup')) return reader.rest();
    socket.write(authentication(10, 'SCRAM-SHA-256\0\0'));
    const first = (await reader.message()).toString('latin1').replace(/^.*?n,,/su, '');
    if (isTaken('nonce')) return reader.rest();
    const [, iterations = '', salt = '', storedKey = '', serverKey = ''] =
      /^SCRAM-SHA-256\$(\d+):(.+)\$(.+):(.+)$/u.exec(this.#verifier) ?? [];
    const nonce = `${/r=(.*)$/u.exec(first)?.[1] ?? ''}server`;
    const challenge = `r=${nonce},s=${salt},i=${iterations}`;
    socket.write(authentication(11, challenge));
    const final = (await reader.message()).toString('latin1');
    if (isTaken('proof')) return reader.rest();
    const [, bare = '', proof = ''] = /^(.*),p=(.*)$/u.exec(final) ?? [];
    const text = `${first},${challenge},${bare}`;
    const key = exclusiveOr(Buffer.from(proof, 'base64'), hmac(Buffer.from(storedKey, 'base64'), text));
    if (!timingSafeEqual(createHash('sha256').update(key).digest(), Buffer.from(storedKey, 'base64'))) {
      socket.end(message('E', 'SFATAL\0C28P01\0Mno\0\0'));
      return;
    }
    const signature = hmac(Buffer.from(serverKey, 'base64'), text).toString('base64');
    socket.write(Buffer.concat([authentication(12, `v=${signature}`), authentication(0), ready]));
    for (;;) {
      const statement = (await reader.message()).toString('latin1');
      // It says goodbye.
      if (statement === '') return;
      this.statements.push(statement);
      if (isTaken('statement')) return reader.rest();
      const set = /PASSWORD E?'([^']+)'/u.exec(statement)?.[1];
      this.#verifier = set ?? this.#verifier;
      socket.write(set === undefined ? one : Buffer.concat([message('C', 'ALTER ROLE\0'), ready]));
    }
  }
}

const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();

function exclusiveOr(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));
}

/** What a client sends, message by message. */
class Reader {
  #bytes = Buffer.alloc(0);
  readonly #chunks: AsyncIterator<Buffer, null | undefined>;
  readonly #seen: (text: string) => void;

  constructor(socket: Socket, seen: (text: string) => void) {
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer, null | undefined>;
    this.#seen = seen;
  }

  async startup(): Promise<void> {
    await this.#take((await this.#take(4)).readUInt32BE() - 4);
  }

  async message(): Promise<Buffer> {
    const head = await this.#take(5);
    return this.#take(head.readUInt32BE(1) - 4);
  }

  /** Until the client goes. */
  async rest(): Promise<void> {
    for (;;) await this.#take(1);
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#bytes.length < length) {
      const { value } = await this.#chunks.next();
      if (!value) throw new Error('the client has gone');
      this.#seen(value.toString('latin1'));
      this.#bytes = Buffer.concat([this.#bytes, value]);
    }
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }
}
