import { createServer, type Server as NetServer, type Socket } from "node:net";
import { createServer as createTlsServer, type SecureContextOptions, type Server as TlsServer } from "node:tls";

import { canonicalAddress } from "../../lib/ip-address.ts";
import { setBacklog } from "../../native/backlog.ts";
import { peerName } from "../connections/connection-limit.ts";
import { openServedPort, type ServedPort } from "../connections/served-port.ts";
import type { TlsCredentials } from "../tls/credentials.ts";

/** Connections that may wait until the server accepts them. */
const BACKLOG = 4_096;
/** Time, in milliseconds, after which the kernel asks a silent client whether it is still there. */
const KEEP_ALIVE_MS = 30_000;
/** The protocol that clients of gRPC ask for in the handshake of TLS. */
const ALPN = ["h2"];

export interface GrpcListenerOptions {
  readonly host: string;
  /** 0 selects a free port. */
  readonly port: number;
  /** Other processes listen on the same port. */
  readonly shared: boolean;
  /** Undefined: connections are not encrypted. */
  readonly tls: TlsCredentials | undefined;
  /** Takes a connection. */
  readonly accept: (socket: Socket) => void;
  /** Returns true for a connection, named as by `peerName`, on which nothing is going on. */
  readonly isIdle: (peer: string) => boolean;
  /** The listening socket has failed. */
  readonly failed: (error: unknown) => void;
}

/** The listening socket of gRPC. Listens when it is constructed; throws when it cannot. */
export class GrpcListener {
  /** The port that is really listened on. */
  readonly port: number;
  /** The connections to this port. */
  readonly served: ServedPort;
  readonly #options: GrpcListenerOptions;
  readonly #server: NetServer | TlsServer;
  /** By the client's end. */
  readonly #sockets = new Map<string, Socket>();

  constructor(options: GrpcListenerOptions) {
    this.#options = options;
    const { host, port, shared, tls } = options;
    const accept = (socket: Socket): void => this.#accept(socket);
    this.#server =
      tls === undefined
        ? createServer(accept)
        : createTlsServer({ ...contextOf(tls), ALPNProtocols: ALPN, ...authoritiesOf(tls) }, accept);
    let fault: unknown;
    this.#server.on("error", (error) => {
      if (fault === undefined) options.failed(error);
    });
    // Of what Bun 1.4.5 knows, the types of Node leave this out.
    const place = { host, port, reusePort: shared };
    this.#server.listen(place);
    const address = this.#server.address();
    if (address === null || typeof address === "string") {
      fault = listenFault(host, port);
      throw fault;
    }
    this.port = address.port;
    setBacklog(this.port, BACKLOG);
    this.served = openServedPort(this.port, () => this.#endIdle());
  }

  /** Uses other certificates for new connections. Throws when it cannot. */
  useCredentials(tls: TlsCredentials): void {
    if ("setSecureContext" in this.#server) this.#server.setSecureContext({ ...contextOf(tls), ...authoritiesOf(tls) });
  }

  /** Accepts no more connections. Those that are open stay. */
  stopListening(): void {
    this.#server.close();
  }

  /** Closes everything now. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  #accept(socket: Socket): void {
    const peer = peerName(canonicalAddress(socket.remoteAddress ?? "") ?? "", socket.remotePort ?? 0);
    this.#sockets.set(peer, socket);
    socket.on("close", () => {
      if (this.#sockets.get(peer) === socket) this.#sockets.delete(peer);
    });
    socket.on("error", () => {});
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#options.accept(socket);
  }

  #endIdle(): void {
    for (const [peer, socket] of this.#sockets) if (this.#options.isIdle(peer)) socket.destroy();
  }
}

function contextOf({ cert, key, clientCa }: TlsCredentials): SecureContextOptions {
  return { cert, key, minVersion: "TLSv1.2", ...(clientCa !== undefined && { ca: clientCa }) };
}

function authoritiesOf({ clientCa }: TlsCredentials): { requestCert?: boolean; rejectUnauthorized?: boolean } {
  return clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
}

/** Returns why a port cannot be listened on. Bun 1.4.5 tells it for sockets of Node only later. */
function listenFault(hostname: string, port: number): unknown {
  try {
    Bun.listen({ hostname, port, socket: { data: () => {} } }).stop(true);
  } catch (error) {
    return error;
  }
  return new Error(`cannot listen on ${hostname}, port ${port}`);
}
