import type { Socket, TCPSocketListener } from "bun";

import type { Port } from "../../dialects/port.ts";
import { canonicalAddress, isLoopbackAddress } from "../../lib/ip-address.ts";
import { IpRanges } from "../../lib/ip-ranges.ts";
import { setBacklog } from "../../native/backlog.ts";
import type { Caller } from "../../protocol/caller.ts";
import type { Ended } from "../../protocol/ending.ts";
import type { ProtocolError } from "../../protocol/errors.ts";
import type { Accepted } from "../../session/connection.ts";
import type { Sessions } from "../../session/sessions.ts";
import type { ConnectionTrace } from "../../telemetry/tracing/tracing.ts";
import { admitConnection, type Arrival } from "../admission.ts";
import { peerName } from "../connections/connection-limit.ts";
import { openServedPort, type ServedPort } from "../connections/served-port.ts";
import { SharedFrameBudget } from "../frame-budget.ts";
import { allowedAddresses } from "./allowed-addresses.ts";
import { TcpClient } from "./tcp-client.ts";
import { TcpConnection } from "./tcp-connection.ts";
import type { TcpHost, TcpProcess } from "./tcp-host.ts";

/** Connections that may wait until the server accepts them. */
const BACKLOG = 4_096;
/** Refused clients that are given the time to read why; of more, the connections end at once. */
const MAX_REFUSED = 64;
/** Time, in milliseconds, after which the kernel asks a silent client whether it is still there. */
const KEEP_ALIVE_MS = 30_000;

export interface TcpPortOptions {
  readonly port: Port;
  readonly address: {
    readonly host: string;
    /** 0 selects a free port. */
    readonly port: number;
    /** Ranges of addresses that may connect, beside loopback. Empty: every address may. */
    readonly allow: readonly string[];
  };
  /** Other processes listen on the same port. */
  readonly shared: boolean;
  readonly host: TcpHost;
  readonly sessions: Sessions;
  readonly trace: () => ConnectionTrace;
  readonly process: TcpProcess;
}

/**
 * The TCP transport: a port on which one dialect is spoken. Accepts connections, opens a session on each, and sweeps
 * them. Listens when it is constructed; throws when it cannot.
 */
export class TcpPort {
  /** The port that is really listened on. */
  readonly port: number;
  /** The connections to this port. */
  readonly served: ServedPort;
  readonly #options: TcpPortOptions;
  readonly #isAllowed: (address: string) => boolean;
  readonly #proxies: IpRanges;
  readonly #frames: SharedFrameBudget;
  readonly #clients = new Set<TcpClient>();
  readonly #refused = new Set<TcpConnection>();
  readonly #listener: TCPSocketListener<TcpClient>;

  constructor(options: TcpPortOptions) {
    this.#options = options;
    const { address, shared, process } = options;
    this.#isAllowed = allowedAddresses(address.allow);
    this.#proxies = new IpRanges(options.host.config.server.trusted_proxies);
    this.#frames = new SharedFrameBudget(process.clock);
    this.#listener = this.#listen(address.host, address.port, shared);
    this.port = this.#listener.port;
    setBacklog(this.port, BACKLOG);
    this.served = openServedPort(this.port, () => this.#endAnswered());
  }

  /** Connections that have become sessions. */
  get size(): number {
    let size = 0;
    for (const { hasSession } of this.#clients) if (hasSession) size += 1;
    return size;
  }

  /** The clients' ends of those. */
  peers(): ReadonlySet<string> {
    return new Set([...this.#clients].filter(({ hasSession }) => hasSession).map(({ peer }) => peer));
  }

  /** Requests of this port are sessions. See `waitForPeers`. */
  pendingRequests(): number {
    return 0;
  }

  /** Checks every socket. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    for (const { connection } of this.#clients) {
      this.#options.process.faults.contain("socket", () => connection.sweep(now));
    }
  }

  /** Accepts no more connections. Those that are open stay. */
  stopListening(): void {
    this.#listener.stop(false);
  }

  /** Closes everything now. */
  close(): void {
    this.#listener.stop(true);
  }

  #listen(hostname: string, port: number, shared: boolean): TCPSocketListener<TcpClient> {
    const { faults } = this.#options.process;
    const options = {
      hostname,
      port,
      // Of what Bun 1.4.5 knows, its types leave this out.
      reusePort: shared,
      // A client may say that it sends no more, and read on.
      allowHalfOpen: true,
      socket: {
        open: (socket) => this.#accept(socket),
        data: (socket, bytes) => socket.data.receive(bytes),
        drain: (socket) => socket.data.drained(),
        end: (socket) => socket.data.finished(),
        close: (socket) => this.#closed(socket.data),
        // What is thrown above, and is no session's.
        error: (_socket, error) => faults.record("socket", error),
      },
    } satisfies Bun.TCPSocketListenOptions<TcpClient> & { readonly reusePort: boolean };
    return Bun.listen<TcpClient>(options);
  }

  /** Admits a client, or refuses it in the words of the dialect. */
  #accept(socket: Socket<TcpClient>): void {
    const { port, host, process, sessions } = this.#options;
    // Bun 1.4.5 knows none when the client is gone already.
    const address = canonicalAddress(String(socket.remoteAddress)) ?? "";
    const connection = new TcpConnection(socket, process.clock, this.#frames.open());
    const client = new TcpClient({
      connection,
      framer: port.createFramer(host.config),
      peer: peerName(address, socket.remotePort),
      sessions,
      handled: process.handled,
    });
    socket.data = client;
    this.#clients.add(client);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    if (!this.#isAllowed(address)) {
      host.refused("unauthorized");
      return connection.terminate();
    }
    const trace = this.#options.trace();
    const attempt = {
      arrival: this.#arrivalFrom(address),
      trace,
      choose: (caller: Caller) => port.open({ ...host, models: () => host.models(caller) }),
      open: (accepted: Accepted) => client.open(accepted),
    };
    const finish = (error: ProtocolError | undefined): void => {
      trace.responded(error === undefined ? 101 : (error.row.status ?? 503), error?.code);
      if (error !== undefined) this.#refuse(connection, error);
    };
    const failed = (error: unknown): void => {
      trace.responded(500, "internal");
      process.faults.record("socket", error);
      connection.terminate();
    };
    try {
      const refusal = admitConnection(attempt, host);
      if (!(refusal instanceof Promise)) return finish(refusal);
      // What is sent meanwhile waits in the kernel.
      connection.pause();
      refusal.then(finish).then(() => connection.resume(), failed);
    } catch (error) {
      failed(error);
    }
  }

  #arrivalFrom(address: string): Arrival {
    // A proxy of the machine itself brings clients from elsewhere.
    const isLocal = isLoopbackAddress(address) && !this.#proxies.has(address);
    const { dialect } = this.#options.port;
    return { transport: "tcp", dialect, path: "", credentials: {}, tls: false, address, isLocal };
  }

  #refuse(connection: TcpConnection, error: ProtocolError): void {
    const { port, host } = this.#options;
    host.refused(error.code);
    if (this.#refused.size >= MAX_REFUSED) return connection.terminate();
    this.#refused.add(connection);
    const end: Ended = { ending: error.code, code: 1008, reason: error.code, last: port.refuse(error) };
    connection.close(end);
  }

  /** Ends the connections that only wait for the client's end, because their descriptors are needed. */
  #endAnswered(): void {
    for (const { connection } of this.#clients) connection.endIfShut();
  }

  #closed(client: TcpClient): void {
    this.#clients.delete(client);
    this.#refused.delete(client.connection);
    client.closed();
  }
}
