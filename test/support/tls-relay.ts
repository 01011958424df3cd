/**
 * Who stands between a client and PostgreSQL: a TLS connection with a certificate of its own on one side, one with the server on the other. It
 * passes everything on, but keeps from the client that the server can bind a login to its connection (SCRAM-SHA-256-PLUS, RFC 5802).
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import path from 'node:path';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { temporaryFolder } from './temporary-folder.ts';

/** SSLRequest, of protocol 3.0. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const binding = Buffer.from('SCRAM-SHA-256-PLUS\0');

/** The server's first message (AuthenticationSASL) without the mechanism. */
function withoutBinding(bytes: Buffer): Buffer {
  const at = bytes.indexOf(binding);
  if (bytes[0] !== 0x52 || at < 0) return bytes;
  const shorter = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + binding.length)]);
  shorter.writeInt32BE(bytes.readInt32BE(1) - binding.length, 1);
  return shorter;
}

export class TlsRelay {
  readonly port: number;
  /** Logins that were passed on. */
  relayed = 0;
  readonly stop: () => void;

  private constructor(port: number, stop: () => void) {
    this.port = port;
    this.stop = stop;
  }

  static async start(upstreamPort: number): Promise<TlsRelay> {
    const folder = temporaryFolder();
    const [keyFile, certificate] = [path.join(folder, 'key'), path.join(folder, 'certificate')];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    execFileSync('openssl', [...request, '-subj', '/CN=between', '-keyout', keyFile, '-out', certificate], {
      stdio: 'ignore',
    });
    const identity = { key: readFileSync(keyFile), cert: readFileSync(certificate) };
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      sockets.add(client);
      client.on('error', () => undefined);
      void relay.#between(client, identity, upstreamPort, sockets).catch(() => client.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const relay = new TlsRelay((server.address() as AddressInfo).port, () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return relay;
  }

  async #between(
    client: Socket,
    identity: { readonly key: Buffer; readonly cert: Buffer },
    upstreamPort: number,
    sockets: Set<Socket>,
  ): Promise<void> {
    await once(client, 'data');
    client.pause();
    const upstream = connect(upstreamPort, '127.0.0.1');
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
    upstream.write(sslRequest);
    await once(upstream, 'data');
    const there = connectTls({ socket: upstream, rejectUnauthorized: false });
    await once(there, 'secureConnect');
    client.write('S');
    const here = new TLSSocket(client, { isServer: true, ...identity });
    for (const socket of [here, there]) socket.on('error', () => client.destroy());
    here.pipe(there);
    there.on('data', (bytes: Buffer) => {
      const passed = withoutBinding(bytes);
      if (passed !== bytes) this.relayed += 1;
      here.write(passed);
    });
    there.on('end', () => here.end());
  }
}
