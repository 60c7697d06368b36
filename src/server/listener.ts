import type { Server as BunServer, WebSocketHandler } from "bun";

import { setBacklog } from "../native/backlog.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { refuse } from "./pages.ts";
import { withCompleteUrl } from "./request-url.ts";
import type { SocketData } from "./websocket.ts";

/**
 * Connections that may wait until the server accepts them. Bun 1.4.5 has 512 and no setting: beyond it a client's kernel
 * asks again after a second, also when thousands connect at once that would be refused.
 */
const BACKLOG = 4_096;

export interface ListenerOptions {
  readonly host: string;
  /** 0 selects a free port. */
  readonly port: number;
  /** Other processes listen on the same port; the kernel spreads connections between them. */
  readonly shared: boolean;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** A request has failed by a fault of the server. */
  readonly failed: (error: unknown) => void;
  readonly websocket: WebSocketHandler<SocketData>;
}

/** Largest body of a request. No route takes one that is large; Bun discards what no route reads. */
const MAX_BODY_BYTES = 1024 * 1024;

/** The HTTP server of a process, with its WebSockets. Listens when it is constructed. Throws when it cannot listen. */
export class Listener {
  readonly bun: BunServer<SocketData>;
  readonly port: number;

  constructor({ host, port, shared, fetch, failed, websocket }: ListenerOptions) {
    this.bun = Bun.serve<SocketData>({
      hostname: host,
      port,
      development: false,
      // Without it Bun 1.4.5 lets several servers share one port silently, outside of development.
      reusePort: shared,
      maxRequestBodySize: MAX_BODY_BYTES,
      fetch: (request) => {
        const complete = withCompleteUrl(request);
        return complete === undefined ? invalidHost() : fetch(complete);
      },
      error: (error) => {
        failed(error);
        return new Response("an internal error; it has been logged\n", { status: 500 });
      },
      websocket,
    });
    // Bun 1.4.5 forgets it when it stops listening.
    this.port = this.bun.port ?? 0;
    setBacklog(this.port, BACKLOG);
  }

  /** `http://HOST:PORT`, with the port that is really listened on. */
  get url(): string {
    const { hostname = "" } = this.bun;
    return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${this.port}`;
  }

  /** Network address of a client; empty when it is not known. */
  address(request: Request): string {
    return this.bun.requestIP(request)?.address ?? "";
  }

  /** Accepts no more connections. Those that are open stay. */
  stopListening(): void {
    void this.bun.stop(false);
  }

  /** Closes everything now. */
  async close(): Promise<void> {
    await this.bun.stop(true);
  }
}

function invalidHost(): Response {
  const message = "Host: found no host name; allowed: a name or address, and a port";
  return refuse(new ProtocolError("invalid_request", message));
}
