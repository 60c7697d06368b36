import * as v from "valibot";

import { type AnswerHead, answerHeadSchema } from "../../dialects/files/answer.ts";

/** Bytes of a streamed answer that wait without holding the session back. */
const STREAM_BYTES = 65_536;

/** What a streamed answer reports of its client. */
export interface AnswerReader {
  /** Bytes have been taken. Never called from within `send`. */
  taken(): void;
  /** The client wants no more. */
  left(): void;
}

/** The answer to a request, from the messages of a dialect: a head, then a body, in one piece or as it comes. */
export class AnswerParts {
  readonly #reader: AnswerReader;
  /** Called once, with the answer, when it can begin. */
  readonly #begin: (head: AnswerHead, body: string | ReadableStream<Uint8Array>) => void;
  #head: AnswerHead | undefined;
  #body = "";
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(reader: AnswerReader, begin: (head: AnswerHead, body: string | ReadableStream<Uint8Array>) => void) {
    this.#reader = reader;
    this.#begin = begin;
  }

  /** Bytes that wait to be taken. What waits for the end of the answer does not count. */
  get waiting(): number {
    const free = this.#stream?.desiredSize ?? STREAM_BYTES;
    return Math.max(0, STREAM_BYTES - free);
  }

  /** Takes the next message. Throws when the first is no head. */
  send(message: string | Uint8Array): void {
    const text = typeof message === "string" ? message : Buffer.from(message).toString();
    if (this.#head === undefined) this.#open(v.parse(answerHeadSchema, JSON.parse(text)));
    else if (this.#stream === undefined) this.#body += text;
    else this.#stream.enqueue(Buffer.from(text));
  }

  /** Nothing follows. */
  end(): void {
    if (this.#stream !== undefined) this.#stream.close();
    else if (this.#head !== undefined) this.#begin(this.#head, this.#body);
  }

  /** The client is gone. */
  drop(): void {
    this.#stream = undefined;
  }

  #open(head: AnswerHead): void {
    this.#head = head;
    if (!head.streamed) return;
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#stream = controller),
        // A client that waits takes bytes within `enqueue`, when the session is still in the middle of what it sends.
        pull: () => queueMicrotask(() => this.#reader.taken()),
        cancel: () => this.#reader.left(),
      },
      { highWaterMark: STREAM_BYTES, size: ({ length = 0 } = new Uint8Array(0)) => length },
    );
    this.#begin(head, stream);
  }
}
