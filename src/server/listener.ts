import type { Server as BunServer, WebSocketHandler } from "bun";

import { canonicalAddress } from "../lib/ip-address.ts";
import { setBacklog } from "../native/backlog.ts";
import { countConnections, listConnections } from "../native/connections.ts";
import { ListeningSocket } from "../native/listening-socket.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { type ConnectionLimit, peerName } from "./connections/connection-limit.ts";
import { openServedPort, type ServedPort } from "./connections/served-port.ts";
import { refuse } from "./pages.ts";
import { withCompleteUrl } from "./request-url.ts";
import type { TlsCredentials } from "./tls/credentials.ts";
import type { Line } from "./uploads/uploads.ts";
import type { SocketData } from "./websocket-connection.ts";

/**
 * Connections that may wait until the server accepts them. Bun 1.4.5 has 512 and no setting: beyond it a client's kernel
 * asks again after a second, also when thousands connect at once that would be refused.
 */
const BACKLOG = 4_096;
/** Time after which a server with replaced credentials closes its idle connections: handshakes have ended by then. */
const HANDSHAKE_MS = 10_000;
/**
 * Largest body of a request, beyond which Bun answers with a bare 413. Routes have smaller limits of their own; Bun
 * discards what no route reads.
 */
const MAX_BODY_BYTES = 1024 * 1024 * 1024;
/** Seconds after which Bun closes a connection on which nothing comes. It is Bun's default. */
const IDLE_SECONDS = 10;

export interface ListenerOptions {
  readonly host: string;
  /** 0 selects a free port. */
  readonly port: number;
  /** Other processes listen on the same port; the kernel spreads connections between them. */
  readonly shared: boolean;
  /** Undefined: connections are not encrypted. */
  readonly tls?: TlsCredentials | undefined;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** A request has failed by a fault of the server. */
  readonly failed: (error: unknown) => void;
  readonly websocket: WebSocketHandler<SocketData>;
  /** Tells whether answers are to end their connections. Default: they are not. */
  readonly connections?: Pick<ConnectionLimit, "isScarce"> | undefined;
}

/** A request as Bun knows it. */
interface Origin {
  readonly bun: BunServer<SocketData>;
  readonly received: Request;
}

/** The HTTP server of a process, with its WebSockets. Listens when it is constructed. Throws when it cannot listen. */
export class Listener {
  readonly port: number;
  /** `http://HOST:PORT` or `https://HOST:PORT`, with the port that is really listened on. */
  readonly url: string;
  readonly #options: ListenerOptions;
  /** The server that accepts connections. */
  #bun: BunServer<SocketData>;
  #served: ServedPort;
  /** Servers with replaced credentials, which keep their connections, and the timers that stop them. */
  readonly #replaced = new Map<BunServer<SocketData>, Timer>();
  /** Where the requests come from, also those that have been replaced by complete ones. */
  readonly #origins = new WeakMap<Request, Origin>();
  /** Returns the clients' ends of the connections that the clients have ended. */
  readonly #ended = (): ReadonlySet<string> => {
    const open = listConnections(this.port, Math.max(1, countConnections(this.port)));
    return new Set(open.filter(({ hasEnded }) => hasEnded).map(({ address, port }) => peerName(address, port)));
  };

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#bun = this.#serve(options);
    // Bun 1.4.5 forgets it when it stops listening.
    this.port = this.#bun.port ?? 0;
    setBacklog(this.port, BACKLOG);
    this.#served = this.#openServed();
    const { hostname = "" } = this.#bun;
    const scheme = options.tls === undefined ? "http" : "https";
    this.url = `${scheme}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${this.port}`;
  }

  /** The connections to this port. Those of a listener whose certificates have been replaced are others. */
  get served(): ServedPort {
    return this.#served;
  }

  /** Returns true for a request that has come to this port. */
  received(request: Request): boolean {
    return this.#origins.has(request);
  }

  /** The server that a request came to. */
  serverOf(request: Request): BunServer<SocketData> {
    return this.#origins.get(request)?.bun ?? this.#bun;
  }

  /** Network address of a client; empty when it is not known. */
  address(request: Request): string {
    const { bun, received } = this.#origins.get(request) ?? { bun: this.#bun, received: request };
    return bun.requestIP(received)?.address ?? "";
  }

  /** Takes the connection of a request out of Bun's limit for idle ones, until it is released. */
  occupy(request: Request): Line {
    const { bun, received } = this.#origins.get(request) ?? { bun: this.#bun, received: request };
    const { address = "", port = 0 } = bun.requestIP(received) ?? {};
    bun.timeout(received, 0);
    // Bun 1.4.5 would have no limit for the next request of the connection, either.
    const peer = peerName(canonicalAddress(address) ?? "", port);
    return { peer, ended: this.#ended, release: () => bun.timeout(received, IDLE_SECONDS) };
  }

  /** Requests that have not been answered. */
  pendingRequests(): number {
    return this.#all().reduce((sum, { pendingRequests }) => sum + pendingRequests, 0);
  }

  /**
   * Uses other certificates for new connections. Those that are open stay, and none is refused: Bun 1.4.5 cannot change
   * the certificates of a server, so the listening socket moves to a new one. Throws when that fails; then nothing has
   * changed.
   */
  useCredentials(tls: TlsCredentials): void {
    // On a port that nobody knows, until the socket has moved, which closes it.
    const next = this.#serve({ ...this.#options, port: 0, shared: false, tls });
    try {
      new ListeningSocket(this.port).moveTo(new ListeningSocket(next.port ?? 0));
    } catch (error) {
      void next.stop(true);
      throw error;
    }
    const old = this.#bun;
    this.#bun = next;
    this.#replaced.set(
      old,
      setTimeout(() => this.#stopReplaced(old), HANDSHAKE_MS),
    );
    this.#served = this.#openServed();
  }

  /** Accepts no more connections. Those that are open stay. */
  stopListening(): void {
    void this.#bun.stop(false);
  }

  /** Closes everything now. */
  async close(): Promise<void> {
    for (const timer of this.#replaced.values()) clearTimeout(timer);
    await Promise.all(this.#all().map((bun) => bun.stop(true)));
  }

  #openServed(): ServedPort {
    return openServedPort(this.port, () => this.#all().forEach((bun) => void bun.closeIdleConnections()));
  }

  #all(): BunServer<SocketData>[] {
    return [this.#bun, ...this.#replaced.keys()];
  }

  /** Closes the idle connections of a server without a socket, and forgets it when the others have ended. */
  #stopReplaced(bun: BunServer<SocketData>): void {
    void bun.stop(false).then(() => this.#replaced.delete(bun));
  }

  #serve({ host, port, shared, tls, fetch, failed, websocket }: ListenerOptions): BunServer<SocketData> {
    return Bun.serve<SocketData>({
      hostname: host,
      port,
      development: false,
      // Without it Bun 1.4.5 lets several servers share one port silently, outside of development.
      reusePort: shared,
      maxRequestBodySize: MAX_BODY_BYTES,
      idleTimeout: IDLE_SECONDS,
      ...(tls && { tls: tlsOptions(tls) }),
      fetch: (request, bun) => {
        const complete = withCompleteUrl(request);
        if (complete === undefined) return invalidHost();
        this.#origins.set(complete, { bun, received: request });
        const answer = fetch(complete);
        if (this.#options.connections?.isScarce !== true) return answer;
        return answer instanceof Promise ? answer.then(closing) : closing(answer);
      },
      error: (error) => {
        failed(error);
        return new Response("an internal error; it has been logged\n", { status: 500 });
      },
      websocket,
    });
  }
}

/** The least version is TLS 1.2, Bun's own. With authorities, the handshake fails without a certificate of theirs. */
function tlsOptions({ cert, key, clientCa }: TlsCredentials): Bun.TLSOptions {
  return { cert, key, ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }) };
}

/** Returns an answer that ends its connection. */
function closing(answer: Response): Response {
  answer.headers.set("connection", "close");
  return answer;
}

function invalidHost(): Response {
  const message = "Host: found no host name; allowed: a name or address, and a port";
  return refuse(new ProtocolError("invalid_request", message));
}
