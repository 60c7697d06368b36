import type { Server as BunServer, ServerWebSocket, WebSocketHandler } from "bun";

import type { Config } from "../config/config.ts";
import type { Ended } from "../protocol/ending.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Accepted, Connection } from "../session/connection.ts";
import type { Session } from "../session/session.ts";
import type { Sessions } from "../session/sessions.ts";
import type { FaultLog } from "../telemetry/log/fault-log.ts";

/**
 * Longest time without progress for the last messages of a session that is over. The kernel asks for more when a
 * third of its megabytes has left.
 */
const LINGER_MS = 8_000;
/** The same for a client that has not read for long already. */
const SLOW_LINGER_MS = 4_000;
/** What the answers to pings may add to what waits for a client whose session is over. */
const PONG_BYTES = 65_536;
/** A paused socket does not notice that its peer is gone; writing to it does. */
const PAUSED_PING_MS = 2_000;
/** Room beside the limit of the outbox, which is ours and has an error event: Bun drops what is beyond. */
const DROP_MARGIN_BYTES = 64 * 1024 * 1024;

/**
 * Bun 1.4.5 waits for the peer's close, after its own, as long as the margin that it derives from its idle time-out: up
 * to 4 s with none, and sometimes nothing; 12 to 16 s with the longest. Messages that arrive after that are answered
 * with a reset, which overtakes what the peer has not read. A peer silent for 15 minutes must answer a ping of Bun's.
 */
const KEEP_OPEN = { idleTimeout: 960, sendPings: true } as const;

const OPEN = 1;

/** The end of a connection for which no session could be opened. */
const INTERNAL: Ended = { ending: "internal", code: 1011, reason: "internal" };

/** The reasons with which Bun itself closes a connection, and their codes. */
const VIOLATIONS: Readonly<Record<string, ErrorCode>> = { "Received too big message": "message_too_big" };

/** The data of a Bun socket. */
export interface SocketData {
  readonly accepted: Accepted;
  /** Set once the socket is open. */
  connection: WebSocketConnection | undefined;
  session: Session | undefined;
}

/** A connection whose session is over, and which has not taken everything yet. */
interface Closing {
  readonly end: Ended;
  /** Longest time without progress, in milliseconds. */
  readonly patience: number;
  /** Most bytes that may wait. */
  readonly limit: number;
  /** Bytes that waited at the last progress. */
  waiting: number;
  /** Time at which the patience ends. */
  until: number;
}

/** One Bun socket as the connection of one session. */
export class WebSocketConnection implements Connection {
  readonly #ws: ServerWebSocket<SocketData>;
  readonly #clock: () => number;
  #paused = false;
  #pingedAt = 0;
  #closing: Closing | undefined;

  /** @param clock returns milliseconds, monotonic */
  constructor(ws: ServerWebSocket<SocketData>, clock: () => number) {
    this.#ws = ws;
    this.#clock = clock;
  }

  get buffered(): number {
    return this.#ws.getBufferedAmount();
  }

  send(message: string | Uint8Array): void {
    const sent = typeof message === "string" ? this.#ws.sendText(message) : this.#ws.sendBinary(message);
    // Bun returns 0 when it has dropped a message, which may only happen once the connection is gone.
    if (sent === 0 && this.#ws.readyState === OPEN) throw new Error("websocket: a message was dropped");
  }

  pause(): void {
    this.#paused = true;
    this.#pingedAt = this.#clock();
    this.#ws.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#ws.readyState === OPEN) this.#ws.resume();
  }

  close(end: Ended): void {
    this.#paused = false;
    if (this.#ws.readyState !== OPEN) return;
    for (const message of end.last ?? []) this.send(message);
    // Closing with unread bytes would reset the connection, and the client would lose what it has not read yet.
    if (this.#ws.isPaused) this.#ws.resume();
    const patience = end.ending === "slow_reader" ? SLOW_LINGER_MS : LINGER_MS;
    const waiting = this.buffered;
    this.#closing = { end, patience, limit: waiting + PONG_BYTES, waiting, until: this.#clock() + patience };
    this.closeIfWritten();
  }

  /** Bun has answered a ping. A session that is over does not hold its client back any more. */
  pinged(): void {
    if (this.#closing !== undefined && this.buffered > this.#closing.limit) this.#ws.terminate();
  }

  /** Closes the socket when its session has ended and nothing waits any more. */
  closeIfWritten(): void {
    if (this.#closing === undefined || this.buffered > 0) return;
    this.#ws.close(this.#closing.end.code, this.#closing.end.reason);
  }

  /** Pings a paused peer, and gives up on one that takes nothing any more. To be called a few times a second. */
  sweep(now: number): void {
    if (this.#paused && now - this.#pingedAt >= PAUSED_PING_MS) {
      this.#pingedAt = now;
      this.#ws.ping();
    }
    if (this.#closing !== undefined) this.#linger(this.#closing, now);
  }

  /** A client may take its last results as slowly as its network is, but not stop taking them. */
  #linger(closing: Closing, now: number): void {
    const waiting = this.buffered;
    if (waiting < closing.waiting) Object.assign(closing, { waiting, until: now + closing.patience });
    else if (now >= closing.until) this.#ws.terminate();
  }
}

export interface WebSocketsOptions {
  readonly sessions: Sessions;
  readonly limits: Config["limits"];
  /** Receives faults that are no session's. */
  readonly faults: FaultLog;
  /** Returns milliseconds, monotonic. */
  readonly clock: () => number;
  /** A message has been handled. */
  readonly handled: (message: string | Uint8Array) => void;
}

/** The WebSocket transport: accepts upgrades, opens sessions on sockets, and sweeps them. */
export class WebSockets {
  readonly handler: WebSocketHandler<SocketData>;
  readonly #connections = new Set<WebSocketConnection>();
  readonly #faults: FaultLog;

  constructor({ sessions, limits, faults, clock, handled }: WebSocketsOptions) {
    this.#faults = faults;
    this.handler = {
      // Beyond the limits of the session, which have error events.
      maxPayloadLength: 2 * Math.max(limits.max_message_bytes, limits.max_text_bytes),
      backpressureLimit: limits.outbox_bytes + DROP_MARGIN_BYTES,
      ...KEEP_OPEN,
      perMessageDeflate: false,
      open: (ws) => {
        const connection = new WebSocketConnection(ws, clock);
        this.#connections.add(connection);
        ws.data.connection = connection;
        try {
          ws.data.session = sessions.open(connection, ws.data.accepted);
          sessions.begin(ws.data.session);
        } catch (error) {
          if (ws.data.session !== undefined) return ws.data.session.failed(error);
          ws.data.accepted.place.release();
          connection.close(INTERNAL);
          throw error;
        }
      },
      message: ({ data: { session } }, message) => {
        try {
          session?.receive(message);
        } catch (error) {
          session?.failed(error);
        }
        handled(message);
      },
      ping: ({ data: { session, connection } }) => {
        try {
          session?.pinged();
          connection?.pinged();
        } catch (error) {
          session?.failed(error);
        }
      },
      drain: ({ data: { session, connection } }) => {
        try {
          session?.writable();
          connection?.closeIfWritten();
        } catch (error) {
          session?.failed(error);
        }
      },
      close: ({ data }, _code, reason) => {
        if (data.connection !== undefined) this.#connections.delete(data.connection);
        if (data.session === undefined) return;
        using rest = new DisposableStack();
        rest.adopt(data.session, (session) => sessions.forget(session));
        sessions.closed(data.session, VIOLATIONS[reason]);
      },
      // What is thrown above, and is no session's.
      error: (error) => faults.record("socket", error),
    };
  }

  /** Upgrades a request whose client has been accepted. Returns false when it is no valid handshake. */
  upgrade(bun: BunServer<SocketData>, request: Request, headers: Record<string, string>, accepted: Accepted): boolean {
    return bun.upgrade(request, { headers, data: { accepted, connection: undefined, session: undefined } });
  }

  /** Checks every socket. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    for (const connection of this.#connections) {
      this.#faults.contain("socket", () => connection.sweep(now));
    }
  }
}
