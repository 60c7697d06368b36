import { LedgerCheck } from "../../client/ledger.ts";
import type { Inactive, Segment, ServerEvent, Started, Stopped } from "../../protocol/events.ts";
import { frameBytes } from "../../protocol/format.ts";
import type { Meter } from "./meter.ts";
import type { Recording } from "./recording.ts";

/** The results of one stream: their latencies, and the ledger at the end. */
export class StreamResults {
  readonly #recording: Recording;
  readonly #meter: Meter;
  readonly #ledger: LedgerCheck;
  readonly #modelRate: number;
  /** Seconds of silence that decide the end of an utterance; 0 for patterns without voice activity detection. */
  readonly #minSilence: number;
  /** Ends of speech without a final result, by channel, in seconds. */
  readonly #speechEnds = new Map<number, number[]>();

  constructor({ sample_rate, vad }: Started, recording: Recording, meter: Meter) {
    this.#recording = recording;
    this.#meter = meter;
    this.#modelRate = sample_rate;
    this.#minSilence = (vad?.min_silence_ms ?? 0) / 1000;
    this.#ledger = new LedgerCheck(sample_rate);
  }

  /** Notes an event for the ledger. */
  add(event: ServerEvent): void {
    this.#ledger.add(event);
  }

  speechEnded({ channel, time }: Inactive): void {
    const ends = this.#speechEnds.get(channel);
    if (ends === undefined) this.#speechEnds.set(channel, [time]);
    else ends.push(time);
  }

  /**
   * Measures the latency of a result that was received at `now`.
   * @param begun when the first message was due; milliseconds of the same clock
   */
  measure({ is_final, channel, start_time, end_time }: Segment, now: number, begun: number): void {
    const since = (seconds: number): number => now - begun - this.#dueAfter(seconds);
    if (is_final === false) return this.#meter.interim(since(end_time));
    const ends = this.#speechEnds.get(channel) ?? [];
    while (ends[0] !== undefined && ends[0] < start_time) ends.shift();
    const speechEnd = ends[0] !== undefined && ends[0] <= end_time ? ends.shift() : undefined;
    const decided = speechEnd === undefined ? end_time : speechEnd + this.#minSilence;
    this.#meter.final(since(decided), since(speechEnd ?? end_time), end_time - start_time);
  }

  /** Compares the ledger with what was sent: so many messages. */
  stopped(event: Stopped, messages: number): void {
    const { format, messageBytes } = this.#recording;
    const sent = {
      bytes: messages * messageBytes,
      frameBytes: frameBytes(format),
      channels: format.channels,
      sampleRate: format.sample_rate,
      modelRate: this.#modelRate,
    };
    for (const problem of this.#ledger.problems(event, sent)) this.#meter.problem(problem);
    const received = event.channels.reduce((sum, ledger) => sum + ledger.received, 0);
    const failed = event.channels.reduce((sum, ledger) => sum + ledger.failed, 0);
    // A stream that the server ended early may not have received what was sent last.
    const owed = event.reason === "stop" ? (sent.bytes / sent.frameBytes) * format.channels : received;
    this.#meter.stopped(event.reason, Math.max(0, owed - received), failed);
  }

  /** Milliseconds from the first message to that with the sample at `seconds`: when the sample had been spoken. */
  #dueAfter(seconds: number): number {
    const { messageMs } = this.#recording;
    return Math.max(0, Math.ceil((seconds * 1000) / messageMs) - 1) * messageMs;
  }
}
