/** What a client has sent in one stream. */
export interface SentTotals {
  /** Bytes of audio, each counted once. */
  readonly bytes: number;
  /** How often the stream went on at another connection. */
  readonly resumptions: number;
}

/** Counts what is sent in each stream, from its start up to its `stopped`, which may come after the next start. */
export class StreamTotals {
  /** Of the streams that have neither stopped nor been refused, in order. */
  #open: { bytes: number; resumptions: number }[] = [];
  #last = { bytes: 0, resumptions: 0 };

  /** Bytes sent since the last start. */
  get bytes(): number {
    return this.#last.bytes;
  }

  begin(): void {
    this.#last = { bytes: 0, resumptions: 0 };
    this.#open.push(this.#last);
  }

  sent(bytes: number): void {
    this.#last.bytes += bytes;
  }

  resumed(): void {
    this.#last.resumptions += 1;
  }

  /** The first of the open streams has stopped, or its start was refused. Returns a copy of its totals. */
  end(): SentTotals | undefined {
    const totals = this.#open.shift();
    return totals && { ...totals };
  }
}
