import type { Server as BunServer, WebSocketHandler } from "bun";

import type { Config } from "../config/config.ts";
import { canonicalAddress } from "../lib/ip-address.ts";
import type { Accepted, Violation } from "../session/connection.ts";
import type { Sessions } from "../session/sessions.ts";
import type { FaultLog } from "../telemetry/log/fault-log.ts";
import { peerName } from "./connections/connection-limit.ts";
import { SharedFrameBudget, SMALL_BYTES } from "./frame-budget.ts";
import { type SocketData, WebSocketConnection } from "./websocket-connection.ts";

/** Room beside the limit of the outbox, which is ours and has an error event: Bun drops what is beyond. */
const DROP_MARGIN_BYTES = 64 * 1024 * 1024;

/**
 * Bun 1.4.5 waits for the peer's close, after its own, as long as the margin that it derives from its idle time-out: up
 * to 4 s with none, and sometimes nothing; 12 to 16 s with the longest. Messages that arrive after that are answered
 * with a reset, which overtakes what the peer has not read. A peer silent for 15 minutes must answer a ping of Bun's.
 */
const KEEP_OPEN = { idleTimeout: 960, sendPings: true } as const;

/** The end of a connection for which no session could be opened. */
const INTERNAL = { code: 1011, reason: "internal" } as const;

/** The reasons with which Bun itself closes a connection begin like this. Its code is 1006. */
const BUN_REASON = "Received ";
const ABNORMAL = 1006;
const TOO_BIG = "Received too big message";

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
    const frames = new SharedFrameBudget(clock);
    this.handler = {
      // Beyond the limits of the session, which have error events.
      maxPayloadLength: 2 * Math.max(limits.max_message_bytes, limits.max_text_bytes),
      backpressureLimit: limits.outbox_bytes + DROP_MARGIN_BYTES,
      ...KEEP_OPEN,
      perMessageDeflate: false,
      open: (ws) => {
        try {
          const connection = new WebSocketConnection(ws, clock, frames.open());
          this.#connections.add(connection);
          ws.data.connection = connection;
          ws.data.session = sessions.open(connection, ws.data.accepted);
          sessions.begin(ws.data.session);
        } catch (error) {
          if (ws.data.session !== undefined) return ws.data.session.failed(error);
          ws.data.accepted.place.release();
          ws.close(INTERNAL.code, INTERNAL.reason);
          throw error;
        }
      },
      message: ({ data: { session, connection } }, message) => {
        try {
          if (message.length < SMALL_BYTES) connection?.countSmallFrame();
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
      close: ({ data }, code, reason) => {
        if (data.connection !== undefined) this.#connections.delete(data.connection);
        if (data.session === undefined) return;
        using rest = new DisposableStack();
        const violation = violationOf(code, reason);
        rest.adopt(data.session, (session) => sessions.forget(session, violation));
        sessions.closed(data.session, violation);
      },
      // What is thrown above, and is no session's.
      error: (error) => faults.record("socket", error),
    };
  }

  /** Upgrades a request whose client has been accepted. Returns false when it is no valid handshake. */
  upgrade(bun: BunServer<SocketData>, request: Request, headers: Record<string, string>, accepted: Accepted): boolean {
    const { address = "", port = 0 } = bun.requestIP(request) ?? {};
    const peer = peerName(canonicalAddress(address) ?? "", port);
    return bun.upgrade(request, { headers, data: { accepted, peer, connection: undefined, session: undefined } });
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.size;
  }

  /** The clients' ends of the connections that are open. */
  peers(): ReadonlySet<string> {
    return new Set([...this.#connections].map(({ peer }) => peer));
  }

  /** Checks every socket. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    for (const connection of this.#connections) {
      this.#faults.contain("socket", () => connection.sweep(now));
    }
  }
}

function violationOf(code: number, reason: string): Violation | undefined {
  // A reason of the client's own comes with the client's code, which cannot be this one.
  if (code !== ABNORMAL || !reason.startsWith(BUN_REASON)) return undefined;
  return reason === TOO_BIG ? "message_too_big" : "protocol_error";
}
