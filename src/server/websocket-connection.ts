import type { ServerWebSocket } from "bun";

import type { Ended } from "../protocol/ending.ts";
import type { Accepted, Connection } from "../session/connection.ts";
import type { Session } from "../session/session.ts";
import type { FrameBudget } from "./frame-budget.ts";
import { Linger } from "./linger.ts";

/** What the answers to pings may add to what waits for a client whose session is over. */
const PONG_BYTES = 65_536;
/** A paused socket does not notice that its peer is gone; writing to it does. */
const PAUSED_PING_MS = 2_000;
const OPEN = 1;

/** The data of a Bun socket. */
export interface SocketData {
  readonly accepted: Accepted;
  /** The client's end of the connection, as `peerName` spells it. */
  readonly peer: string;
  /** Set once the socket is open. */
  connection: WebSocketConnection | undefined;
  session: Session | undefined;
}

/** A connection whose session is over, and which has not taken everything yet. */
interface Closing {
  readonly end: Ended;
  readonly linger: Linger;
  /** Most bytes that may wait. */
  readonly limit: number;
}

/** One Bun socket as the connection of one session. */
export class WebSocketConnection implements Connection {
  readonly #ws: ServerWebSocket<SocketData>;
  readonly #clock: () => number;
  readonly #frames: FrameBudget;
  /** The session wants nothing to be read. */
  #paused = false;
  /** Time, in milliseconds, up to which nothing is read because of too many small frames; 0: it is. */
  #heldUntil = 0;
  #pingedAt = 0;
  #closing: Closing | undefined;

  /** @param clock returns milliseconds, monotonic */
  constructor(ws: ServerWebSocket<SocketData>, clock: () => number, frames: FrameBudget) {
    this.#ws = ws;
    this.#clock = clock;
    this.#frames = frames;
  }

  /** The client's end of the connection. */
  get peer(): string {
    return this.#ws.data.peer;
  }

  get buffered(): number {
    return this.#ws.getBufferedAmount();
  }

  send(message: string | Uint8Array): void {
    const sent = typeof message === "string" ? this.#ws.sendText(message) : this.#ws.sendBinary(message);
    // Bun returns 0 when it has dropped a message, which may only happen once the connection is gone, and for an empty one.
    if (sent === 0 && message.length > 0 && this.#ws.readyState === OPEN)
      throw new Error("websocket: a message was dropped");
  }

  pause(): void {
    this.#paused = true;
    this.#stopReading();
  }

  resume(): void {
    this.#paused = false;
    this.#readOn();
  }

  /** Counts a small frame that has come. Bun hands over those that it has read, but no more are read for a while. */
  countSmallFrame(): void {
    const holdMs = this.#frames.count();
    if (holdMs === 0 || this.#ws.readyState !== OPEN) return;
    // A session that is over does not hold its client back any more.
    if (this.#closing !== undefined) return this.#ws.terminate();
    this.#heldUntil = this.#clock() + holdMs;
    this.#stopReading();
  }

  close(end: Ended): void {
    this.#paused = false;
    this.#heldUntil = 0;
    if (this.#ws.readyState !== OPEN) return;
    for (const message of end.last ?? []) this.send(message);
    // Closing with unread bytes would reset the connection, and the client would lose what it has not read yet.
    if (this.#ws.isPaused) this.#ws.resume();
    const waiting = this.buffered;
    this.#closing = { end, linger: new Linger(end, waiting, this.#clock()), limit: waiting + PONG_BYTES };
    this.closeIfWritten();
  }

  /** Bun has answered a ping. */
  pinged(): void {
    this.countSmallFrame();
    if (this.#closing !== undefined && this.buffered > this.#closing.limit) this.#ws.terminate();
  }

  /** Closes the socket when its session has ended and nothing waits any more. */
  closeIfWritten(): void {
    if (this.#closing === undefined || this.buffered > 0) return;
    this.#ws.close(this.#closing.end.code, this.#closing.end.reason);
  }

  /** Pings a paused peer, and gives up on one that takes nothing any more. To be called a few times a second. */
  sweep(now: number): void {
    if (this.#heldUntil > 0 && now >= this.#heldUntil) {
      this.#heldUntil = 0;
      this.#readOn();
    }
    if ((this.#paused || this.#heldUntil > 0) && now - this.#pingedAt >= PAUSED_PING_MS) {
      this.#pingedAt = now;
      this.#ws.ping();
    }
    if (this.#closing?.linger.isOver(this.buffered, now) === true) this.#ws.terminate();
  }

  #stopReading(): void {
    this.#pingedAt = this.#clock();
    this.#ws.pause();
  }

  #readOn(): void {
    if (!this.#paused && this.#heldUntil === 0 && this.#ws.readyState === OPEN) this.#ws.resume();
  }
}
