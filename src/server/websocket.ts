import type { ServerWebSocket } from "bun";

import type { Peer } from "../session/connection.ts";
import type { Session } from "../session/session.ts";

/** How long what waits to be sent may stand still once the session is over: the kernel asks for more when a third of its megabytes has left. */
const LINGER_MS = 10_000;
/** A paused socket does not see its peer go; writing to it does. */
const PAUSED_PING_MS = 2_000;

const OPEN = 1;

/** Bun's end of a connection; what `ServerWebSocket.data` holds is the way back to it. */
export interface SocketData {
  socket: Socket | undefined;
}

/** Bytes in and out: one Bun socket as the peer of one session. */
export class Socket implements Peer {
  readonly #ws: ServerWebSocket<SocketData>;
  readonly #clock: () => number;
  #session: Session | undefined;
  #pingedAt = 0;
  #closing: { readonly code: number; readonly reason: string; waiting: number; until: number } | undefined;

  constructor(ws: ServerWebSocket<SocketData>, clock: () => number) {
    this.#ws = ws;
    this.#clock = clock;
  }

  /** The session that this socket serves, until it is over. */
  get session(): Session | undefined {
    return this.#session;
  }

  attach(session: Session): void {
    this.#session = session;
  }

  get buffered(): number {
    return this.#ws.getBufferedAmount();
  }

  send(text: string): void {
    this.#check(this.#ws.sendText(text));
  }

  sendBinary(bytes: Uint8Array): void {
    this.#check(this.#ws.sendBinary(bytes));
  }

  pause(): void {
    this.#pingedAt = this.#clock();
    this.#ws.pause();
  }

  resume(): void {
    if (this.#ws.readyState === OPEN) this.#ws.resume();
  }

  close(code: number, reason: string): void {
    this.#session = undefined;
    if (this.#ws.readyState !== OPEN) return;
    // Closing with unread bytes would reset the connection, and the client lose what it has not read yet.
    if (this.#ws.isPaused) this.#ws.resume();
    this.#closing = { code, reason, waiting: this.buffered, until: this.#clock() + LINGER_MS };
    this.drained();
  }

  /** Everything waiting has been written. */
  drained(): void {
    this.#session?.drained();
    if (this.#closing === undefined || this.buffered > 0) return;
    this.#ws.close(this.#closing.code, this.#closing.reason);
  }

  /** Deadlines; a few times a second. */
  sweep(now: number): void {
    this.#session?.sweep(now);
    if (this.#session?.paused && now - this.#pingedAt >= PAUSED_PING_MS) {
      this.#pingedAt = now;
      this.#ws.ping();
    }
    if (this.#closing !== undefined) this.#linger(this.#closing, now);
  }

  /** A client may take its last results as slowly as its network is, but not stop taking them. */
  #linger(closing: { waiting: number; until: number }, now: number): void {
    const waiting = this.buffered;
    if (waiting < closing.waiting) Object.assign(closing, { waiting, until: now + LINGER_MS });
    else if (now >= closing.until) this.#ws.terminate();
  }

  /** The connection is gone. */
  closed(): void {
    this.#session?.vanished();
    this.#session = undefined;
  }

  /** Bun says 0 when it has dropped a message: that may only happen once the connection is gone. */
  #check(sent: number): void {
    if (sent === 0 && this.#ws.readyState === OPEN) throw new Error("socket: a message was dropped");
  }
}
