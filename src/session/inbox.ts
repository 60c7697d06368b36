/** What keeping a message costs beside its bytes: empty ones fill an inbox too. */
const MESSAGE_BYTES = 128;

/** What a client has sent and the session has not come to yet, in order. */
export class Inbox {
  #messages: (string | Uint8Array)[] = [];
  #head = 0;
  #bytes = 0;

  /** Bytes that all messages waiting take up; a text counts its length. */
  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#head === this.#messages.length;
  }

  /** The message whose turn it is. */
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

  /** Bytes of audio before the first text that ends a stream: they belong to the one that is open. */
  audioBytes(endsStream: (text: string) => boolean): number {
    let sum = 0;
    for (let i = this.#head; i < this.#messages.length; i++) {
      const message = this.#messages[i];
      if (typeof message !== "string") sum += message?.length ?? 0;
      else if (endsStream(message)) break;
    }
    return sum;
  }

  clear(): void {
    this.#messages = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}
