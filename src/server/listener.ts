import type { Server as BunServer, WebSocketHandler } from "bun";

import type { SocketData } from "./websocket.ts";

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
      fetch: (request) => fetch(withAbsoluteUrl(request)),
      error: (error) => {
        failed(error);
        return new Response("an internal error; it has been logged\n", { status: 500 });
      },
      websocket,
    });
    // Bun 1.4.5 forgets it when it stops listening.
    this.port = this.bun.port ?? 0;
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

/**
 * Gives a request a complete URL. Health checks of proxies use HTTP/1.0 without a Host header; Bun 1.4.5 then passes
 * only the path.
 */
function withAbsoluteUrl(request: Request): Request {
  if (request.headers.has("host") || URL.canParse(request.url)) return request;
  // Not resolved as a relative URL: `//x/y` would be the path `/y` of a host `x`.
  return new Request(`http://localhost${request.url}`, request);
}
