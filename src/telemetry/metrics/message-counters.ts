import type { Counter } from "./instruments.ts";
import type { MetricFamily } from "./metric-family.ts";

/** Counters of the messages in one direction. */
export class MessageCounters {
  readonly audio: Counter;
  readonly text: Counter;
  readonly audioBytes: Counter;
  readonly textBytes: Counter;

  constructor(messages: MetricFamily<Counter, "kind">, bytes: MetricFamily<Counter, "kind">) {
    this.audio = messages.with({ kind: "audio" });
    this.text = messages.with({ kind: "text" });
    this.audioBytes = bytes.with({ kind: "audio" });
    this.textBytes = bytes.with({ kind: "text" });
  }

  countAudio(bytes: number): void {
    this.audio.value += 1;
    this.audioBytes.value += bytes;
  }

  countText(bytes: number): void {
    this.text.value += 1;
    this.textBytes.value += bytes;
  }
}
