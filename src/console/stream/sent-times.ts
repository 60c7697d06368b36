import type { SentAudio } from "./record.ts";

/** Most messages whose time is remembered: ten minutes of them. */
const MAX_MESSAGES = 30_000;

/** When the audio of a recording was sent, for latencies. */
export class SentTimes implements SentAudio {
  readonly #isPaced: boolean;
  #messages: { readonly end: number; readonly at: number }[] = [];

  /** @param isPaced false: the audio is sent faster than it is spoken, and latencies say nothing */
  constructor(isPaced: boolean) {
    this.#isPaced = isPaced;
  }

  /** Audio up to `end`, in seconds, is sent at `at`, in milliseconds. */
  add(end: number, at: number): void {
    if (!this.#isPaced) return;
    this.#messages.push({ end, at });
    if (this.#messages.length > MAX_MESSAGES) this.#messages = this.#messages.slice(MAX_MESSAGES / 2);
  }

  sentAt(seconds: number): number | undefined {
    const messages = this.#messages;
    let low = 0;
    let high = messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (messages[middle]!.end < seconds) low = middle + 1;
      else high = middle;
    }
    const [first] = messages;
    return first === undefined || first.end > seconds + 1 ? undefined : messages[low]?.at;
  }
}
