import type { Message, OfferedModel, Opened } from "../../dialects/dialect.ts";
import type { GrpcMethod, GrpcQuestion, GrpcStream } from "../../dialects/grpc-method.ts";
import { OK, statusOf } from "../../dialects/grpc/status.ts";
import { formatHost } from "../../lib/host-name.ts";
import type { Caller } from "../../protocol/caller.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Accepted } from "../../session/connection.ts";
import type { Session } from "../../session/session.ts";
import type { Sessions } from "../../session/sessions.ts";
import type { ConnectionTrace } from "../../telemetry/tracing/tracing.ts";
import { type AdmissionHost, type Arrival, openSession } from "../admission.ts";
import type { Edge } from "../edge/edge.ts";
import { type FrameBudget, SMALL_BYTES } from "../frame-budget.ts";
import type { TcpProcess } from "../tcp/tcp-host.ts";
import { peerOf, refusalMetadata, requestOf } from "./call-metadata.ts";
import { type Call, GrpcConnection } from "./grpc-connection.ts";

/** HTTP status that traces have for calls that are accepted. */
const ACCEPTED = 200;

/** The server, as calls use it. */
export interface GrpcHost extends AdmissionHost {
  readonly edge: Pick<Edge, "read" | "refusesUse">;
  trace(request: Request | undefined, path: string): ConnectionTrace;
  /** Models that a caller may use, its default first. */
  models(caller: Caller): readonly OfferedModel[];
}

export interface GrpcCallOptions {
  readonly call: Call;
  /** What is called. */
  readonly method: GrpcMethod;
  readonly host: GrpcHost;
  readonly sessions: Sessions;
  readonly process: TcpProcess;
  readonly frames: FrameBudget;
  /** Connections to the port are encrypted. */
  readonly tls: boolean;
}

/**
 * One call of a client, from its beginning to its end. Its caller is admitted by its metadata, and its session opened by
 * its first message; a question is answered without one. A fault while a session is served costs that session alone.
 */
export class GrpcCall {
  /** The client's end of the connection, as `peerName` spells it. */
  readonly peer: string;
  readonly #options: GrpcCallOptions;
  readonly #connection: GrpcConnection;
  readonly #address: string;
  readonly #request: Request;
  readonly #trace: ConnectionTrace;
  /** Time, in milliseconds, up to which the first message is waited for; undefined: it is not. */
  #awaitedUntil: number | undefined;
  #session: Session | undefined;
  #isRefused = false;

  constructor(options: GrpcCallOptions) {
    const { call, method, host, process, frames, tls } = (this.#options = options);
    const { address, name } = peerOf(call.getPeer());
    this.#address = address;
    this.peer = name;
    this.#request = requestOf(call.metadata, method.path, call.getHost(), tls);
    this.#trace = host.trace(this.#request, method.path);
    const taken = (): void => this.#guard(() => this.#session?.writable());
    this.#connection = new GrpcConnection(call, process.clock, frames, taken);
  }

  /** It waits for its first message, or for the end of its client. */
  get isWaiting(): boolean {
    return this.#session === undefined && !this.#connection.closing;
  }

  /** A session has been opened for it. */
  get hasSession(): boolean {
    return this.#session !== undefined;
  }

  /** Admits the caller, then waits for its first message. @param refusal why it is not admitted */
  begin(refusal: ProtocolError | undefined): void {
    const { host } = this.#options;
    const settle = (caller: Caller | ProtocolError): void => {
      const error = caller instanceof ProtocolError ? caller : host.unavailable();
      if (error !== undefined) this.#refuse(error);
      else this.#listen(caller as Caller);
    };
    this.#guard(() => {
      const arrival = refusal ?? this.#arrival();
      const caller = arrival instanceof ProtocolError ? arrival : host.admit(arrival);
      if (caller instanceof Promise) caller.then(settle).catch((error) => this.#failed(error));
      else settle(caller);
    });
  }

  /** To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    this.#connection.sweep(now);
    if (this.#awaitedUntil === undefined || now < this.#awaitedUntil) return;
    this.#refuse(new ProtocolError("start_timeout", "no start has come within limits.start_timeout_ms"));
  }

  /** The call is over. */
  closed(): void {
    this.#connection.gone();
    this.#awaitedUntil = undefined;
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    const { sessions } = this.#options;
    using rest = new DisposableStack();
    rest.adopt(session, (session) => sessions.forget(session));
    sessions.closed(session);
  }

  #arrival(): Arrival | ProtocolError {
    const { method, host: server } = this.#options;
    const { edge } = server;
    const visit = edge.read(this.#request, this.#address);
    if (visit instanceof ProtocolError) return visit;
    const { address, host, origin, tls, isLocal } = visit;
    const credentials = method.credentials(this.#request.headers);
    const arrival: Arrival = {
      ...{ transport: "grpc", dialect: method.dialect, path: "", host: host && formatHost(host) },
      ...{ address, origin, tls, isLocal, credentials },
    };
    return edge.refusesUse(visit) ?? arrival;
  }

  #listen(caller: Caller): void {
    const { call, host, process } = this.#options;
    if (this.#isOver) return;
    this.#awaitedUntil = process.clock() + host.config.limits.start_timeout_ms;
    // Of a call that is cancelled, Bun 1.4.5 tells first that nothing more comes.
    call.on("end", () => setImmediate(() => this.#guard(() => this.#finished())));
    call.on("data", (bytes: Uint8Array) => this.#guard(() => this.#receive(bytes, caller)));
  }

  #receive(bytes: Uint8Array, caller: Caller): void {
    if (this.#isOver) return;
    if (bytes.length < SMALL_BYTES) this.#connection.countSmallMessage();
    const { method } = this.#options;
    if ("answer" in method) return this.#answer(method, bytes, caller);
    for (const message of method.read(bytes)) {
      if (this.#session === undefined) this.#open(method, caller, message);
      if (this.#isOver) return;
      this.#session?.receive(message);
      this.#options.process.handled(message);
    }
  }

  /** Opens the session that the first message asks for, or refuses the call. */
  #open(method: GrpcStream, caller: Caller, first: Message): void {
    const { host, sessions } = this.#options;
    this.#awaitedUntil = undefined;
    const open = (accepted: Accepted): undefined => {
      const session = sessions.open(this.#connection, accepted);
      this.#session = session;
      this.#guard(() => sessions.begin(session));
    };
    const choose = (): Opened => method.open(first, host.config, host.models(caller));
    const refusal = openSession(caller, { trace: this.#trace, choose, open }, host);
    if (refusal !== undefined) this.#refuse(refusal);
    else this.#trace.responded(ACCEPTED);
  }

  #answer(method: GrpcQuestion, bytes: Uint8Array, caller: Caller): void {
    const { process, host } = this.#options;
    const answer = method.answer(bytes, host.models(caller));
    this.#awaitedUntil = undefined;
    this.#trace.responded(ACCEPTED);
    process.handled(bytes);
    this.#connection.send(answer);
    this.#connection.close({ ending: "stop", code: OK, reason: "" });
  }

  /** The client sends no more. */
  #finished(): void {
    if (this.#isOver) return;
    if (this.#session !== undefined) return this.#session.finished();
    const message = "found a call without messages; allowed: start as the first message";
    this.#refuse(new ProtocolError("invalid_request", message, { param: "request" }));
  }

  get #isOver(): boolean {
    return this.#isRefused || this.#connection.closing;
  }

  #refuse(error: ProtocolError): void {
    if (this.#isOver) return;
    const { call, host } = this.#options;
    this.#isRefused = true;
    this.#awaitedUntil = undefined;
    host.refused(error.code);
    this.#trace.responded(error.row.status ?? (error.row.retryable ? 503 : 400), error.code);
    // What still comes is discarded: otherwise it would hold the other calls of the same connection back.
    call.resume();
    call.emit("error", { code: statusOf(error.code), details: error.message, metadata: refusalMetadata(error) });
  }

  /** Runs a step of this call: what it throws ends the call, and nothing else. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const session = this.#session;
    if (session !== undefined && error instanceof ProtocolError) session.evicted(error.message, error.code);
    else if (session !== undefined) session.failed(error);
    else if (error instanceof ProtocolError) this.#refuse(error);
    else {
      this.#options.process.faults.record("socket", error);
      this.#refuse(new ProtocolError("internal", "an internal error; it has been logged"));
    }
  }
}
