/** A Redis server of one user, that answers as Redis does (RESP 2) or, where a test says so, something else. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class FakeRedis {
  /** What is answered in place of what is right, by command (`AUTH`, `ACL SETUSER`); as soon as it is connected to: `connect`. */
  instead: Readonly<Record<string, string | ((socket: Socket) => unknown)>> = {};
  readonly commands: string[] = [];
  readonly #answers: Readonly<Record<string, string>> = {
    AUTH: '+OK\r\n',
    'ACL WHOAMI': '$7\r\ndefault\r\n',
    'ACL GETUSER': '*4\r\n$5\r\nflags\r\n*1\r\n$2\r\non\r\n$9\r\npasswords\r\n*0\r\n',
    'ACL SETUSER': '+OK\r\n',
    'ACL SAVE': '+OK\r\n',
  };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      this.#answer(socket, 'connect', '');
      // A command is short, and comes at once.
      socket.on('data', (bytes: Buffer) => {
        const words = bytes
          .toString('latin1')
          .split('\r\n')
          .filter((_, index) => index % 2 === 0)
          .slice(1);
        this.commands.push(words.join(' '));
        const [first = '', second = ''] = words;
        const name = ['ACL', 'CONFIG'].includes(first) ? `${first} ${second}` : first;
        this.#answer(socket, name, this.#answers[name] ?? '-ERR unknown command\r\n');
      });
    });
  }

  static async start(): Promise<FakeRedis> {
    const server = new FakeRedis();
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

  #answer(socket: Socket, name: string, right: string): void {
    const answer = this.instead[name] ?? right;
    if (typeof answer === 'string') socket.write(answer);
    else answer(socket);
  }
}
