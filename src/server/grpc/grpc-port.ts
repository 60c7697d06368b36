import { type ConnectionInjector, Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";

import type { GrpcMethod } from "../../dialects/grpc-method.ts";
import { grpcMethodsOf, serviceOf } from "../../dialects/grpc-methods.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Sessions } from "../../session/sessions.ts";
import type { ServedPort } from "../connections/served-port.ts";
import { SharedFrameBudget } from "../frame-budget.ts";
import type { TcpProcess } from "../tcp/tcp-host.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import { GrpcCall, type GrpcHost } from "./grpc-call.ts";
import type { Call } from "./grpc-connection.ts";
import { GrpcListener } from "./grpc-listener.ts";
import { HealthService } from "./health.ts";
import { addReflection } from "./reflection.ts";

/** Calls without a session that may be open; more are refused. */
const MAX_WAITING = 4_096;
/** Calls at a time on one connection: a pool of clients may share one. */
const MAX_CALLS = 1_000;
/** Messages up to so many times the limit are refused by the session, which tells why; larger ones by grpc-js. */
const MARGIN = 2;

export interface GrpcPortOptions {
  readonly host: GrpcHost;
  /** Port 0 selects a free one. */
  readonly address: { readonly host: string; readonly port: number };
  /** Other processes listen on the same port. */
  readonly shared: boolean;
  /** Undefined: connections are not encrypted. */
  readonly tls: TlsCredentials | undefined;
  readonly sessions: Sessions;
  readonly process: TcpProcess;
}

/**
 * The transport of gRPC: a port with the service `streamer.v1.Streamer` and those of other dialects, health and reflection. Listens when it is
 * constructed; throws when it cannot.
 */
export class GrpcPort {
  readonly #options: GrpcPortOptions;
  readonly #server: GrpcServer;
  readonly #injector: ConnectionInjector;
  readonly #listener: GrpcListener;
  readonly #frames: SharedFrameBudget;
  readonly #health: HealthService;
  readonly #calls = new Set<GrpcCall>();

  constructor(options: GrpcPortOptions) {
    this.#options = options;
    const { host, address, shared, tls, process } = options;
    const methods = grpcMethodsOf(host.config.dialects.enabled);
    this.#frames = new SharedFrameBudget(process.clock);
    this.#health = new HealthService(() => host.unavailable() === undefined, methods.map(serviceOf));
    this.#server = this.#createServer(methods);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = new GrpcListener({
      ...{ ...address, shared, tls },
      accept: (socket) => this.#injector.injectConnection(socket),
      isIdle: (peer) => [...this.#calls].every((call) => call.peer !== peer),
      failed: (error) => process.faults.record("socket", error),
    });
  }

  /** The port that is really listened on. */
  get port(): number {
    return this.#listener.port;
  }

  /** The connections to this port. */
  get served(): ServedPort {
    return this.#listener.served;
  }

  /** Connections that have sessions. */
  get size(): number {
    return this.peers().size;
  }

  /** The clients' ends of those. */
  peers(): ReadonlySet<string> {
    return new Set([...this.#calls].filter(({ hasSession }) => hasSession).map(({ peer }) => peer));
  }

  /** Calls that are open. See `waitForPeers`. */
  pendingRequests(): number {
    return this.#calls.size;
  }

  /** Checks every call. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    const { faults } = this.#options.process;
    for (const call of this.#calls) faults.contain("socket", () => call.sweep(now));
    faults.contain("socket", () => this.#health.check());
  }

  /** Uses other certificates for new connections. Throws when it cannot. */
  useCredentials(tls: TlsCredentials): void {
    this.#listener.useCredentials(tls);
  }

  /** Accepts no more connections. Those that are open stay. */
  stopListening(): void {
    this.#listener.stopListening();
  }

  /** Closes everything now. */
  close(): void {
    this.#health.close();
    this.#listener.close();
    this.#injector.destroy();
  }

  #createServer(methods: readonly GrpcMethod[]): GrpcServer {
    const { limits } = this.#options.host.config;
    const server = new GrpcServer({
      "grpc.max_receive_message_length": MARGIN * Math.max(limits.max_message_bytes, limits.max_text_bytes),
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": MAX_CALLS,
      "grpc.enable_channelz": 0,
    });
    const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const same = (bytes: Buffer): Uint8Array => bytes;
    for (const method of methods) {
      const { path } = method;
      const Call = {
        path,
        ...{ requestStream: true, responseStream: true },
        ...{ requestSerialize: buffer, responseSerialize: buffer, requestDeserialize: same, responseDeserialize: same },
      };
      server.addService({ Call }, { Call: (call: Call) => this.#accept(call, method) });
    }
    this.#health.addTo(server);
    addReflection(server);
    return server;
  }

  #accept(raw: Call, method: GrpcMethod): void {
    const { host, sessions, process, tls } = this.#options;
    const frames = this.#frames.open();
    const options = { call: raw, method, host, sessions, process, frames, tls: tls !== undefined };
    const call = new GrpcCall(options);
    const isCrowded = this.#waiting >= MAX_WAITING;
    this.#calls.add(call);
    // grpc-js 1.14.7 has this event at the end of every call.
    raw.on("cancelled", () => {
      this.#calls.delete(call);
      process.faults.contain("socket", () => call.closed());
    });
    const message = `too many calls wait for their first message: ${MAX_WAITING}`;
    call.begin(isCrowded ? new ProtocolError("overloaded", message) : undefined);
  }

  get #waiting(): number {
    let count = 0;
    for (const { isWaiting } of this.#calls) if (isWaiting) count += 1;
    return count;
  }
}
