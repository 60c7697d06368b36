import type { Socket } from "bun";

import type { Ended } from "../../protocol/ending.ts";
import type { Connection } from "../../session/connection.ts";
import type { FrameBudget } from "../frame-budget.ts";
import { Linger } from "../linger.ts";
import { UnsentBytes } from "./unsent-bytes.ts";

/**
 * Longest time, and most bytes, for which a client may go on sending when it has been sent everything. If its bytes
 * found nobody, the kernel would answer with a reset, and that overtakes what the client has not read: some clients
 * read nothing before they have sent all of their audio.
 */
const FAREWELL_MS = 5_000;
const FAREWELL_BYTES = 16 * 1024 * 1024;

/** A Bun socket, as far as a connection uses it. */
type TcpSocket = Pick<Socket, "write" | "pause" | "resume" | "shutdown" | "end" | "terminate">;

/** A connection whose session is over. */
interface Closing {
  readonly linger: Linger;
  /** Bytes that may still come. */
  allowance: number;
  /** Everything has been sent, and the client knows that nothing follows. */
  isShut: boolean;
}

/** One Bun socket of a TCP port as the connection of one session. */
export class TcpConnection implements Connection {
  readonly #socket: TcpSocket;
  readonly #clock: () => number;
  readonly #frames: FrameBudget;
  readonly #unsent = new UnsentBytes();
  /** The session wants nothing to be read. */
  #paused = false;
  /** Time, in milliseconds, up to which nothing is read because of too many small messages; 0: it is. */
  #heldUntil = 0;
  #closing: Closing | undefined;
  /** The client sends no more. */
  #isFinished = false;
  #isGone = false;

  /** @param clock returns milliseconds, monotonic */
  constructor(socket: TcpSocket, clock: () => number, frames: FrameBudget) {
    this.#socket = socket;
    this.#clock = clock;
    this.#frames = frames;
  }

  get buffered(): number {
    return this.#unsent.size;
  }

  /** The session is over: what comes is not for it any more. */
  get closing(): boolean {
    return this.#closing !== undefined || this.#isGone;
  }

  send(message: string | Uint8Array): void {
    if (!this.#isGone) this.#unsent.send(message, this.#write);
  }

  pause(): void {
    this.#paused = true;
    if (!this.#isGone) this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#readOn();
  }

  /** Counts a small message that has come. Nothing more is read for a while when there are too many. */
  countSmallMessage(): void {
    const holdMs = this.#frames.count();
    if (holdMs === 0 || this.closing) return;
    this.#heldUntil = this.#clock() + holdMs;
    this.#socket.pause();
  }

  close(end: Ended): void {
    if (this.closing) return;
    for (const message of end.last ?? []) this.send(message);
    this.#paused = false;
    this.#heldUntil = 0;
    // What comes is discarded from now on, see FAREWELL_MS.
    this.#socket.resume();
    const linger = new Linger(end, this.buffered, this.#clock());
    this.#closing = { linger, allowance: FAREWELL_BYTES, isShut: false };
    this.#shutIfWritten(this.#closing);
  }

  /** The kernel takes bytes again. */
  drained(): void {
    if (this.#isGone) return;
    this.#unsent.flush(this.#write);
    if (this.#closing !== undefined) this.#shutIfWritten(this.#closing);
  }

  /** Bytes have come that nobody wants. */
  discard(bytes: number): void {
    if (this.#closing === undefined) return;
    this.#closing.allowance -= bytes;
    if (this.#closing.allowance < 0) this.terminate();
  }

  /** The client sends no more. */
  finished(): void {
    this.#isFinished = true;
    if (this.#closing?.isShut === true) this.#end();
  }

  /** The socket is closed. */
  gone(): void {
    this.#isGone = true;
    this.#unsent.clear();
  }

  /** Ends the connection if the client has been sent everything: what it still sends is answered with a reset. */
  endIfShut(): void {
    if (this.#closing?.isShut === true) this.#end();
  }

  /** Ends the connection now, whatever waits. */
  terminate(): void {
    if (!this.#isGone) this.#socket.terminate();
  }

  /** Gives up on a client that takes nothing any more, or does not end. To be called a few times a second. */
  sweep(now: number): void {
    if (this.#heldUntil > 0 && now >= this.#heldUntil) {
      this.#heldUntil = 0;
      this.#readOn();
    }
    if (this.#closing?.linger.isOver(this.buffered, now) === true) this.terminate();
  }

  readonly #write = (bytes: Uint8Array): number => this.#socket.write(bytes);

  #readOn(): void {
    if (!this.#paused && this.#heldUntil === 0 && !this.#isGone) this.#socket.resume();
  }

  #shutIfWritten(closing: Closing): void {
    if (closing.isShut || this.buffered > 0 || this.#isGone) return;
    closing.isShut = true;
    closing.linger.waitUntil(this.#clock() + FAREWELL_MS);
    if (this.#isFinished) this.#end();
    else this.#socket.shutdown();
  }

  #end(): void {
    if (!this.#isGone) this.#socket.end();
  }
}
