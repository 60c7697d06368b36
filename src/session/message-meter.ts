import type { Message } from "../dialects/dialect.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";

/** Counts a client's messages and checks their size. */
export class MessageMeter {
  readonly #metrics: ServerMetrics;
  readonly #maxTextBytes: number;
  readonly #maxBinaryBytes: number;

  constructor(metrics: ServerMetrics, maxTextBytes: number, maxBinaryBytes: number) {
    this.#metrics = metrics;
    this.#maxTextBytes = maxTextBytes;
    this.#maxBinaryBytes = maxBinaryBytes;
  }

  /** Counts a message. Returns an error message when it is too large. */
  count(message: Message): string | undefined {
    const { received } = this.#metrics;
    if (typeof message !== "string") {
      received.countAudio(message.length);
      return message.length > this.#maxBinaryBytes
        ? `a binary message of ${message.length} bytes; allowed: at most ${this.#maxBinaryBytes}`
        : undefined;
    }
    const bytes = Buffer.byteLength(message);
    received.countText(bytes);
    return bytes > this.#maxTextBytes
      ? `a text message of ${bytes} bytes; allowed: at most ${this.#maxTextBytes}`
      : undefined;
  }
}
