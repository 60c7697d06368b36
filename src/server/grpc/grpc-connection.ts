import { constants } from "node:http2";

import { Metadata, type ServerDuplexStream } from "@grpc/grpc-js";

import { OK } from "../../dialects/grpc/status.ts";
import type { Ended } from "../../protocol/ending.ts";
import type { Connection } from "../../session/connection.ts";
import type { FrameBudget } from "../frame-budget.ts";
import { Linger } from "../linger.ts";
import { endingMetadata } from "./call-metadata.ts";

/** A call with streams of encoded messages in both directions. */
export type Call = ServerDuplexStream<Uint8Array, Uint8Array>;

/** One call of gRPC as the connection of one session. */
export class GrpcConnection implements Connection {
  readonly #call: Call;
  readonly #clock: () => number;
  readonly #frames: FrameBudget;
  /** Messages have left. */
  readonly #taken: () => void;
  #buffered = 0;
  /** The session wants nothing to be read. */
  #paused = false;
  /** Time, in milliseconds, up to which nothing is read because of too many small messages; 0: it is. */
  #heldUntil = 0;
  /** Undefined: the session is not over. */
  #linger: Linger | undefined;
  #isGone = false;

  /** @param clock returns milliseconds, monotonic @param taken called when messages have left */
  constructor(call: Call, clock: () => number, frames: FrameBudget, taken: () => void) {
    this.#call = call;
    this.#clock = clock;
    this.#frames = frames;
    this.#taken = taken;
  }

  /** Bytes that the flow control of HTTP/2 has not let go. */
  get buffered(): number {
    return this.#buffered;
  }

  /** The session is over: what comes is not for it any more. */
  get closing(): boolean {
    return this.#linger !== undefined || this.#isGone;
  }

  send(message: string | Uint8Array): void {
    if (typeof message === "string") throw new Error("gRPC has no messages of text");
    if (this.#isGone) return;
    this.#buffered += message.length;
    this.#call.write(message, () => {
      this.#buffered -= message.length;
      if (!this.#isGone) this.#taken();
    });
  }

  pause(): void {
    this.#paused = true;
    this.#call.pause();
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
    this.#call.pause();
  }

  close(end: Ended): void {
    if (this.closing) return;
    for (const message of end.last ?? []) this.send(message);
    this.#linger = new Linger(end, this.#buffered, this.#clock());
    this.#paused = false;
    this.#heldUntil = 0;
    // What still comes is discarded. Otherwise it would hold the other calls of the same connection back.
    this.#call.resume();
    const { code, reason: details, ending } = end;
    // The status follows the messages that were written before.
    if (code === OK) this.#call.end(new Metadata());
    else this.#call.emit("error", { code, details, metadata: endingMetadata(ending) });
  }

  /** The call is over. */
  gone(): void {
    // A client that has its status may not have ended its side, for which Bun 1.4.5 would keep the stream.
    if (!this.#isGone) resetStream(this.#call, constants.NGHTTP2_NO_ERROR);
    this.#isGone = true;
    this.#buffered = 0;
  }

  /** Gives up on a client that takes nothing any more. To be called a few times a second. */
  sweep(now: number): void {
    if (this.#heldUntil > 0 && now >= this.#heldUntil) {
      this.#heldUntil = 0;
      this.#readOn();
    }
    if (this.#linger?.isOver(this.#buffered, now) === true) this.terminate();
  }

  /** Ends the call now, whatever waits. */
  terminate(): void {
    if (!this.#isGone) resetStream(this.#call, constants.NGHTTP2_CANCEL);
  }

  #readOn(): void {
    if (!this.#paused && this.#heldUntil === 0 && !this.#isGone) this.#call.resume();
  }
}

/**
 * Resets the stream of HTTP/2 under a call, and so drops what waits for its client. @grpc/grpc-js 1.14.7 has no public
 * way: it waits for the client however long it takes.
 */
function resetStream(call: Call, code: number): void {
  const { stream } = (call as unknown as { call?: { stream?: { close?: (code: number) => void } } }).call ?? {};
  if (typeof stream?.close !== "function") throw new Error("grpc-js: a call has no stream to reset");
  stream.close(code);
}
