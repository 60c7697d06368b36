import type { Server as BunServer } from "bun";

import type { Access } from "../auth/access.ts";
import {
  type DialectPort,
  dialectPorts,
  grpcPort,
  type TcpDialectPort,
  tcpDialectPorts,
} from "../config/dialect-ports.ts";
import { fileRoutesOf, routesOf } from "../dialects/dialects.ts";
import { PORTS } from "../dialects/ports.ts";
import { vosk } from "../dialects/vosk/route.ts";
import { watchRoutes } from "../dialects/watch/routes.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import { admitAs } from "./authentication.ts";
import { type ConnectionLimit, joinSessions } from "./connections/connection-limit.ts";
import { joinServedPorts } from "./connections/served-port.ts";
import { waitForPeers } from "./farewell.ts";
import { GrpcPort } from "./grpc/grpc-port.ts";
import { ListenError } from "./listen-error.ts";
import { Listener } from "./listener.ts";
import { createRoutes, type Routes, type RoutesHost } from "./routes.ts";
import type { TcpProcess } from "./tcp/tcp-host.ts";
import { TcpPort } from "./tcp/tcp-port.ts";
import type { TlsCredentials } from "./tls/credentials.ts";
import type { Transports } from "./transports.ts";
import type { Line } from "./uploads/uploads.ts";
import type { SocketData } from "./websocket-connection.ts";

export interface DoorsOptions {
  readonly host: RoutesHost;
  readonly access: Access;
  readonly sessions: Sessions;
  readonly transports: Transports;
  readonly connections: ConnectionLimit;
  /** Undefined: connections are not encrypted. Those to ports of dialects never are. */
  readonly tls: TlsCredentials | undefined;
  /** Other processes listen on the same ports. */
  readonly shared: boolean;
  readonly process: TcpProcess & {
    readonly log: Pick<Logger, "error">;
    readonly metrics: Pick<ServerMetrics, "mainThread">;
  };
}

/**
 * Everything that a process listens on for clients: the port of HTTP and WebSockets, and those of dialects. Listens
 * when it is constructed. Throws, and listens on nothing, when it cannot listen on one of them.
 */
export class Doors {
  readonly #options: DoorsOptions;
  readonly #main: Listener;
  /** The port of HTTP, and others with WebSockets. */
  readonly #listeners: Listener[] = [];
  readonly #ports: (TcpPort | GrpcPort)[] = [];
  #grpc: GrpcPort | undefined;

  constructor(options: DoorsOptions) {
    this.#options = options;
    const { host, tls } = options;
    const { server, dialects } = host.config;
    const spoken = [...routesOf(dialects.enabled), ...watchRoutes(host.config)];
    const routes = createRoutes(host, spoken, fileRoutesOf(dialects.enabled));
    this.#main = this.#listen({ ...server, tls }, routes);
    try {
      for (const place of dialectPorts(host.config).filter(({ scheme }) => scheme === "ws")) {
        listening(place, () => this.#listen(place, createRoutes(host, [vosk])));
      }
      for (const place of tcpDialectPorts(host.config)) listening(place, () => this.#ports.push(this.#open(place)));
      const grpc = grpcPort(host.config);
      if (grpc.port !== 0) listening(grpc, () => this.#ports.push((this.#grpc = this.#openGrpc(grpc))));
    } catch (error) {
      void this.close();
      throw error;
    }
    this.#watch();
  }

  /** `http://HOST:PORT` or `https://HOST:PORT`, with the port that is really listened on. */
  get url(): string {
    return this.#main.url;
  }

  /** The server that a request came to. */
  serverOf(request: Request): BunServer<SocketData> {
    return this.#listenerOf(request).serverOf(request);
  }

  /** See `Listener.occupy`. */
  occupy(request: Request): Line {
    return this.#listenerOf(request).occupy(request);
  }

  /** Network address of a client; empty when it is not known. */
  address(request: Request): string {
    return this.#listenerOf(request).address(request);
  }

  /** Uses other certificates for new connections. Throws when it cannot; then nothing has changed. */
  useCredentials(tls: TlsCredentials): void {
    this.#main.useCredentials(tls);
    this.#grpc?.useCredentials(tls);
    this.#watch();
  }

  /** Checks every connection to a port of a dialect. To be called a few times a second. @param now milliseconds */
  sweep(now: number): void {
    for (const port of this.#ports) port.sweep(now);
  }

  /** Accepts no more connections. Those that are open stay. */
  stopListening(): void {
    this.#options.connections.stop();
    for (const door of [...this.#listeners, ...this.#ports]) door.stopListening();
  }

  /** Waits until every peer has what was sent to it. See `waitForPeers`. */
  async waitForPeers(unknown: number, until: number): Promise<void> {
    const doors = [...this.#listeners, ...this.#ports];
    await Promise.all(doors.map((door) => waitForPeers(door, unknown, until)));
  }

  /** Closes everything now. */
  async close(): Promise<void> {
    this.#options.connections.stop();
    for (const port of this.#ports) port.close();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  #listen(
    place: {
      readonly host: string;
      readonly port: number;
      readonly tls?: TlsCredentials | undefined;
    },
    routes: Routes,
  ): Listener {
    const { process, transports, shared, connections } = this.#options;
    const listener = new Listener({
      ...place,
      shared,
      connections,
      fetch: (request) => process.metrics.mainThread.during("http", () => routes(request)),
      failed: (error) => process.log.error("request_failed", { error }),
      websocket: transports.websockets.handler,
    });
    this.#listeners.push(listener);
    return listener;
  }

  #open(address: TcpDialectPort): TcpPort {
    const { host, access, sessions, shared, process } = this.#options;
    const port = PORTS[address.section];
    return new TcpPort({
      port,
      address,
      shared,
      host: { ...host, admit: admitAs(access, address.principal, host.admit) },
      sessions,
      trace: () => host.trace(undefined, port.dialect),
      process,
    });
  }

  #openGrpc(address: DialectPort): GrpcPort {
    const { host, sessions, shared, process, tls } = this.#options;
    return new GrpcPort({ host, address, shared, tls, sessions, process });
  }

  /** Has the connections to all ports limited together. */
  #watch(): void {
    const { connections, transports } = this.#options;
    const served = [...this.#listeners, ...this.#ports].map((door) => door.served);
    connections.watch(joinServedPorts(served), joinSessions([transports, ...this.#ports]));
  }

  #listenerOf(request: Request): Listener {
    return this.#listeners.find((listener) => listener.received(request)) ?? this.#main;
  }
}

/** Throws ListenError when a port of a dialect cannot be listened on. */
function listening({ section, host, port }: DialectPort, listen: () => void): void {
  try {
    listen();
  } catch (error) {
    throw new ListenError({ section, host, port }, error);
  }
}
