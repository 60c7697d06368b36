import type { AnswerHead } from "../../dialects/files/answer.ts";
import type { OpenedUpload } from "../../dialects/files/file-route.ts";
import { tooLarge } from "../../dialects/files/form-framer.ts";
import type { Ended } from "../../protocol/ending.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Connection } from "../../session/connection.ts";
import type { Session } from "../../session/session.ts";
import { AnswerParts } from "./answer-parts.ts";
import type { RequestBody } from "./request-body.ts";

/** Most bytes of one binary message: the session reads a body in such steps, whatever comes at a time. */
const PIECE_BYTES = 65_536;
/** Bytes that a framer may put in front of a piece: what it has held back. */
const MARGIN_BYTES = 256;

export interface UploadOptions {
  readonly body: RequestBody;
  readonly opened: OpenedUpload;
  readonly limits: { readonly upload_ms: number; readonly max_message_bytes: number };
  /** A message has been handled. */
  readonly handled: (message: string | Uint8Array) => void;
  /** The session is over, and the client has its answer, or is gone. */
  readonly gone: (upload: Upload) => void;
  /** Returns milliseconds, monotonic. */
  readonly clock: () => number;
}

/**
 * A request with a file as the connection of one session: its body becomes messages, and the session's messages become
 * the one answer. While the session is paused, nothing of the body is read, so that TCP holds the client back.
 */
export class Upload implements Connection {
  readonly #options: UploadOptions;
  readonly #answer = Promise.withResolvers<Response>();
  readonly #parts: AnswerParts;
  #session: Session | undefined;
  /** Resolved when the session wants to read on; undefined: it does. */
  #pause: PromiseWithResolvers<void> | undefined;
  /** The session is over, or the client is gone. */
  #isOver = false;
  /** Milliseconds for which the body has been waited for, up to the last look. */
  #waitedMs = 0;
  #lookedAt: number;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.#lookedAt = options.clock();
    const taken = (): void => this.#session?.writable();
    this.#parts = new AnswerParts({ taken, left: () => this.left() }, (head, body) => void this.#begin(head, body));
  }

  /** The answer, when it can begin. */
  get answer(): Promise<Response> {
    return this.#answer.promise;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** Nothing of the body is read at the moment. */
  get isPaused(): boolean {
    return this.#pause !== undefined && !this.#isOver;
  }

  get buffered(): number {
    return this.#parts.waiting;
  }

  /** Reads the body for a session, to its end. */
  async feed(session: Session): Promise<void> {
    this.#session = session;
    try {
      for (;;) {
        const bytes = await this.#next();
        if (bytes === undefined || this.#isOver) break;
        this.#checkSize();
        await this.#take(bytes, session);
      }
      if (this.#isOver) return;
      this.#options.opened.framer.end();
      session.finished();
    } catch (error) {
      if (error instanceof ProtocolError) session.evicted(error.message, error.code, error.param);
      else session.failed(error);
    }
  }

  send(message: string | Uint8Array): void {
    if (!this.#isOver) this.#parts.send(message);
  }

  pause(): void {
    this.#pause ??= Promise.withResolvers();
  }

  resume(): void {
    this.#pause?.resolve();
    this.#pause = undefined;
  }

  close(end: Ended): void {
    if (this.#isOver) return;
    for (const message of end.last ?? []) this.send(message);
    this.#parts.end();
    this.#leave();
  }

  /** The client is gone. */
  left(): void {
    if (this.#isOver) return;
    this.#parts.drop();
    this.#leave();
    // Nobody reads it.
    this.#answer.resolve(new Response(null, { status: 499 }));
  }

  /** Ends an upload whose body takes too long. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    const { body, limits } = this.#options;
    const waited = now - this.#lookedAt;
    this.#lookedAt = now;
    if (body.isComplete || this.#pause !== undefined || this.#isOver) return;
    this.#waitedMs += waited;
    if (this.#waitedMs < limits.upload_ms) return;
    const message = `the body has not come within the ${limits.upload_ms} ms of limits.upload_ms`;
    this.#session?.evicted(message, "session_limit");
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      return await this.#options.body.read();
    } catch {
      this.left();
      return undefined;
    }
  }

  #checkSize(): void {
    const { body, opened } = this.#options;
    if (body.received > opened.maxBytes) throw tooLarge("body", opened.maxFileBytes);
  }

  async #take(bytes: Uint8Array, session: Session): Promise<void> {
    const { opened, limits, handled } = this.#options;
    const most = Math.min(PIECE_BYTES, limits.max_message_bytes - MARGIN_BYTES);
    for (let at = 0; at < bytes.length; at += most) {
      for (const message of opened.framer.push(bytes.subarray(at, at + most))) {
        await this.#pause?.promise;
        if (this.#isOver) return;
        session.receive(message);
        handled(message);
      }
    }
  }

  async #begin({ status, headers }: AnswerHead, body: string | ReadableStream<Uint8Array>): Promise<void> {
    const keeps = await this.#options.body.abandon(this.#options.opened.maxBytes);
    this.#answer.resolve(
      new Response(body, { status, headers: { ...headers, ...(!keeps && { connection: "close" }) } }),
    );
  }

  #leave(): void {
    this.#isOver = true;
    this.resume();
    // The session is in the middle of its end.
    queueMicrotask(() => this.#options.gone(this));
  }
}
