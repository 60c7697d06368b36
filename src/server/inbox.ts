/** What a client has sent and the session has not come to yet, in order. */
export class Inbox {
  #messages: (string | Uint8Array)[] = [];
  #head = 0;
  #bytes = 0;

  /** Bytes of all messages waiting; a text counts its length. */
  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#head === this.#messages.length;
  }

  push(message: string | Uint8Array): void {
    this.#messages.push(message);
    this.#bytes += message.length;
  }

  shift(): string | Uint8Array | undefined {
    const message = this.#messages[this.#head];
    if (message === undefined) return undefined;
    this.#messages[this.#head] = "";
    this.#head += 1;
    this.#bytes -= message.length;
    if (this.#head === this.#messages.length) {
      this.#messages = [];
      this.#head = 0;
    }
    return message;
  }

  /** Bytes of audio before the first text: they belong to the stream that is open. */
  audioBytes(): number {
    let sum = 0;
    for (let i = this.#head; i < this.#messages.length; i++) {
      const message = this.#messages[i];
      if (message === undefined || typeof message === "string") break;
      sum += message.length;
    }
    return sum;
  }

  clear(): void {
    this.#messages = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}
