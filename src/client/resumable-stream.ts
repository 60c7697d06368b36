import type { ServerEvent, Started } from "../protocol/events.ts";
import { frameBytes } from "../protocol/format.ts";
import { KeptStream, type Sendable } from "./kept-stream.ts";
import { RepeatedEvents } from "./repeated-events.ts";

/** The open stream of a client: what it has sent and received since the last checkpoint, to go on elsewhere. */
export class ResumableStream {
  readonly #kept: KeptStream;
  readonly #repeated = new RepeatedEvents();
  /** Undefined until the server has replied. */
  #started: Started | undefined;
  #token: string | undefined;
  /** Bytes before which nothing need be sent again. */
  #from = 0;
  #isOver = false;
  #isStopping = false;

  /** @param limit bytes of audio that are kept at most; default MAX_KEPT_BYTES */
  constructor(limit?: number) {
    this.#kept = new KeptStream(limit);
  }

  /** The stream can go on at another connection. */
  get canResume(): boolean {
    return this.#started !== undefined && this.#keeps && this.#kept.has(this.#from);
  }

  /** It can go on elsewhere, and is not about to end where it is. */
  get canLeave(): boolean {
    return this.canResume && !this.#isStopping;
  }

  /** The field `resume` of a start; undefined: there was no checkpoint, and the stream begins anew. */
  get resume(): { readonly token: string } | undefined {
    return this.#token === undefined ? undefined : { token: this.#token };
  }

  /** Adds audio, which is copied. Returns false when nothing is kept: it has to be sent by the caller. */
  audio(bytes: Uint8Array): boolean {
    if (this.#keeps) this.#kept.audio(bytes);
    return this.#keeps;
  }

  /** Adds a request. Returns false when nothing is kept. */
  request(body: { readonly request: string }): boolean {
    if (!this.#keeps) return false;
    if (body.request === "stop") this.#isStopping = true;
    this.#kept.request(body);
    if (body.request === "flush") this.#repeated.flushed();
    return true;
  }

  /** Returns what is to be sent next on this connection, once. */
  take(): Sendable | undefined {
    return this.#kept.take();
  }

  /** The connection is lost. Everything since the last checkpoint is sent again, and what comes may have come before. */
  rewind(): void {
    this.#kept.rewind(this.#from);
    this.#repeated.resume();
  }

  /** Takes an event. Returns false for one that the user must not get: it is a repetition, or for this class. */
  accept(event: ServerEvent): boolean {
    if (event.type === "started") return this.#start(event);
    if (!this.#keeps || this.#started === undefined) return true;
    if (event.type === "stopped") {
      this.#isOver = true;
      this.#kept.clear();
      return true;
    }
    if (event.type !== "checkpoint") return !this.#repeated.isRepeated(event);
    this.#token = event.token;
    this.#from = event.position * frameBytes(this.#started.format);
    this.#kept.release(this.#from, this.#repeated.checkpoint());
    return false;
  }

  /** Whether what is sent must be kept. As long as the server has not replied, it may be able to resume. */
  get #keeps(): boolean {
    return !this.#isOver && (this.#started === undefined || this.#started.features?.includes("resume") === true);
  }

  #start(started: Started): boolean {
    const isFirst = this.#started === undefined;
    this.#started = started;
    if (isFirst) this.#repeated.begin(started.format.channels);
    if (!this.#keeps) this.#kept.clear();
    return isFirst;
  }
}
