import type { Framer } from "../../dialects/port.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Accepted } from "../../session/connection.ts";
import type { Session } from "../../session/session.ts";
import type { Sessions } from "../../session/sessions.ts";
import { SMALL_BYTES } from "../frame-budget.ts";
import type { TcpConnection } from "./tcp-connection.ts";

export interface TcpClientOptions {
  readonly connection: TcpConnection;
  readonly framer: Framer;
  /** The client's end of the connection, as `peerName` spells it. */
  readonly peer: string;
  readonly sessions: Sessions;
  /** A message has been handled. */
  readonly handled: (message: string | Uint8Array) => void;
}

/**
 * A client of a TCP port, from its connection to the end of it: what comes on the connection goes to its session. A
 * fault while a session is served costs that session, and no other.
 */
export class TcpClient {
  readonly connection: TcpConnection;
  readonly peer: string;
  readonly #options: TcpClientOptions;
  /** Undefined: the client has been refused, or is about to be admitted. */
  #session: Session | undefined;

  constructor(options: TcpClientOptions) {
    this.#options = options;
    this.connection = options.connection;
    this.peer = options.peer;
  }

  /** A session has been opened for it. */
  get hasSession(): boolean {
    return this.#session !== undefined;
  }

  /** Opens the session. Returns why it cannot. */
  open(accepted: Accepted): ProtocolError | undefined {
    const { sessions } = this.#options;
    if (this.connection.closing) return new ProtocolError("internal", "the client has gone");
    const session = sessions.open(this.connection, accepted);
    this.#session = session;
    try {
      sessions.begin(session);
    } catch (error) {
      session.failed(error);
    }
    return undefined;
  }

  /** Bytes have come. */
  receive(bytes: Uint8Array): void {
    const { framer, handled } = this.#options;
    const { connection } = this;
    const session = this.#session;
    if (session === undefined || connection.closing) return connection.discard(bytes.length);
    try {
      for (const message of framer.push(bytes)) {
        if (message.length < SMALL_BYTES) connection.countSmallMessage();
        session.receive(message);
        handled(message);
        if (connection.closing) return;
      }
    } catch (error) {
      if (error instanceof ProtocolError) session.evicted(error.message, error.code);
      else session.failed(error);
    }
  }

  /** The kernel takes bytes again. */
  drained(): void {
    this.#guard(() => {
      this.connection.drained();
      this.#session?.writable();
    });
  }

  /** The client sends no more. */
  finished(): void {
    this.#guard(() => {
      this.connection.finished();
      if (this.#session !== undefined) this.#session.finished();
      else if (!this.connection.closing) this.connection.terminate();
    });
  }

  /** The connection is closed. */
  closed(): void {
    this.connection.gone();
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    const { sessions } = this.#options;
    using rest = new DisposableStack();
    rest.adopt(session, (session) => sessions.forget(session));
    sessions.closed(session);
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (this.#session === undefined) throw error;
      this.#session.failed(error);
    }
  }
}
