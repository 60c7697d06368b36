import { untilAborted } from "../lib/until-aborted.ts";
import { type AudioFormat, frameBytes } from "../protocol/format.ts";

/** Audio in a message, in seconds. */
const PIECE_SECONDS = 0.1;

/** Slows a recording down to the speed of a live source. */
export class Pace {
  /** Bytes of a message, whole frames. */
  readonly pieceBytes: number;
  readonly #bytesPerMs: number;
  readonly #now: () => number;
  #begin: number | undefined;
  #sent = 0;

  constructor(format: AudioFormat, now: () => number = () => performance.now()) {
    const bytes = frameBytes(format);
    this.pieceBytes = Math.round(format.sample_rate * PIECE_SECONDS) * bytes;
    this.#bytesPerMs = (format.sample_rate * bytes) / 1_000;
    this.#now = now;
  }

  /** Waits until a live source would have recorded the next message. Rejects with the reason of the signal. */
  async wait(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#begin ??= this.#now();
    const rest = this.#begin + (this.#sent + this.pieceBytes) / this.#bytesPerMs - this.#now();
    if (rest <= 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const slept = new Promise<void>((resolve) => (timer = setTimeout(resolve, rest)));
    try {
      await (signal === undefined ? slept : untilAborted(slept, signal));
    } finally {
      clearTimeout(timer);
    }
  }

  sent(bytes: number): void {
    this.#sent += bytes;
  }
}
