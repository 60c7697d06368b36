/** Bytes that keeping a message costs beside its own: empty messages fill an inbox too. */
const MESSAGE_BYTES = 128;

/** Messages that the client has sent and the session has not read, in order. */
export class Inbox {
  #messages: (string | Uint8Array)[] = [];
  #head = 0;
  #bytes = 0;

  /** Bytes of all messages; a text counts its length in UTF-16 code units. */
  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#head === this.#messages.length;
  }

  /** The oldest message. */
  get next(): string | Uint8Array | undefined {
    return this.#messages[this.#head];
  }

  push(message: string | Uint8Array): void {
    this.#messages.push(message);
    this.#bytes += MESSAGE_BYTES + message.length;
  }

  shift(): string | Uint8Array | undefined {
    const message = this.next;
    if (message === undefined) return undefined;
    this.#messages[this.#head] = "";
    this.#head += 1;
    this.#bytes -= MESSAGE_BYTES + message.length;
    if (this.#head === this.#messages.length) {
      this.#messages.length = 0;
      this.#head = 0;
    }
    return message;
  }

  clear(): void {
    this.#messages = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}
