import type { Writable } from "node:stream";
import { isatty } from "node:tty";

import { codeOf, messageOf } from "../../lib/thrown.ts";
import { openTerminal, type Write } from "./terminal-writer.ts";

/** Most bytes that wait for the reader of an output. Lines beyond it are dropped. */
export const OUTPUT_BUFFER_BYTES = 1024 * 1024;

/** Codes of errors after which an output cannot recover: its reader or its terminal is gone. */
const GONE: readonly string[] = ["EPIPE", "EIO", "EBADF", "ECONNRESET"];

export interface LineOutputEvents {
  /** A line was dropped, because too much waits or because it could not be written. */
  dropped?(): void;
  /** Lines can be written again after `lines` were dropped. */
  recovered?(lines: number): void;
  /**
   * A line could not be written, the first one of several.
   * @param reason such as "EPIPE"; @param isGone nothing more will be written
   */
  failed?(reason: string, isGone: boolean): void;
}

/**
 * Standard output or standard error of a program that must not wait for their readers. Writing returns at once, what
 * waits has a limit, and no fault of the output is a fault of the program.
 */
export class LineOutput {
  readonly #events: LineOutputEvents;
  readonly #write: Write;
  #waiting = 0;
  #dropped = 0;
  #failing = false;
  /** The last line could not be written, or not all of it. */
  #torn = false;
  #gone = false;
  #flushed: (() => void) | undefined;

  constructor(stream: Writable, fd: number, events: LineOutputEvents) {
    this.#events = events;
    this.#write = (isatty(fd) ? openTerminal(fd) : undefined) ?? streamWriter(stream);
  }

  /** Bytes that have not been written yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Writes one line or several, or drops them. */
  write(text: string): undefined {
    if (this.#gone) return;
    const bytes = Buffer.byteLength(text);
    // Once lines have been dropped, the reader first has to make room for more than one of them.
    const limit = this.#dropped > 0 && this.#waiting > 0 ? OUTPUT_BUFFER_BYTES / 2 : OUTPUT_BUFFER_BYTES;
    if (this.#waiting + bytes > limit) return this.#drop();
    this.#waiting += bytes;
    // A part of the line that failed may have been written.
    this.#write(this.#torn ? `\n${text}` : text, (error) => this.#written(bytes, error));
  }

  /** Resolves when everything has been written, when nothing more can be, or after `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    if (this.#waiting === 0 || this.#gone) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#flushed = resolve;
    const timer = setTimeout(resolve, limitMs);
    await promise;
    clearTimeout(timer);
  }

  #drop(): undefined {
    this.#dropped++;
    this.#events.dropped?.();
  }

  #written(bytes: number, error: unknown): void {
    this.#waiting -= bytes;
    if (this.#gone) return;
    this.#torn = Boolean(error);
    if (error) this.#fail(codeOf(error) ?? messageOf(error));
    else if (this.#dropped > 0 && this.#waiting <= OUTPUT_BUFFER_BYTES / 4) {
      const lines = this.#dropped;
      this.#dropped = 0;
      this.#failing = false;
      this.#events.recovered?.(lines);
    }
    if (this.#waiting === 0 || this.#gone) this.#flushed?.();
  }

  #fail(code: string): void {
    this.#gone = GONE.includes(code);
    this.#drop();
    if (!this.#failing) this.#events.failed?.(code, this.#gone);
    this.#failing = true;
  }
}

function streamWriter(stream: Writable): Write {
  // The callback of each write has the error; without a listener it would be an uncaught exception as well.
  stream.on("error", () => {});
  // Bound now: a worker replaces the methods of its streams.
  const write: Write = stream.write.bind(stream);
  return (text, done) => void write(text, done);
}
