import { resampledLength } from "../lib/resampled-length.ts";
import type { ChannelLedger, ServerEvent, Stopped } from "../protocol/events.ts";

/** What a client knows of a stream by itself, to hold the server's ledger against. */
export interface SentAudio {
  /** Bytes handed to `send`. */
  readonly bytes: number;
  readonly frameBytes: number;
  readonly channels: number;
  /** Frames a second. */
  readonly sampleRate: number;
  /** The model's rate, from `started`. */
  readonly modelRate: number;
}

interface ChannelCount {
  finals: number;
  interims: number;
  errors: number;
  /** Samples at the model's rate that final results cover. */
  covered: number;
  /** Samples at the model's rate that errors name. */
  failed: number;
  /** End of the last final, in samples. */
  end: number;
  outOfOrder: number;
}

/**
 * Counts one stream's events as they come, and checks its ledger at the end. Keeps a few numbers a channel, however long the
 * stream is.
 */
export class LedgerCheck {
  readonly #rate: number;
  readonly #channels = new Map<number, ChannelCount>();

  /** `modelRate` is `sample_rate` of `started`, in Hz: `round(time * modelRate)` is the sample. */
  constructor(modelRate: number) {
    this.#rate = modelRate;
  }

  add(event: ServerEvent): void {
    if (event.type === "segment") {
      const count = this.#count(event.channel);
      if (event.is_final === false) {
        count.interims += 1;
        return;
      }
      const start = Math.round(event.start_time * this.#rate);
      const end = Math.round(event.end_time * this.#rate);
      count.finals += 1;
      count.covered += end - start;
      if (start < count.end) count.outOfOrder += 1;
      count.end = end;
    } else if (event.type === "error" && event.channel !== undefined) {
      const count = this.#count(event.channel);
      count.errors += 1;
      const { start_time: start, end_time: end } = event;
      if (start !== undefined && end !== undefined) {
        count.failed += Math.round(end * this.#rate) - Math.round(start * this.#rate);
      }
    }
  }

  /** What does not add up, in sentences; empty when all does. */
  problems(stopped: Stopped, sent: SentAudio): string[] {
    const problems: string[] = [];
    if (stopped.channels.length !== sent.channels) {
      problems.push(`the ledger has ${stopped.channels.length} channels, ${sent.channels} were sent`);
    }
    for (const ledger of stopped.channels) {
      for (const problem of checkChannel(ledger, this.#count(ledger.channel), stopped, sent)) {
        problems.push(`channel ${ledger.channel}: ${problem}`);
      }
    }
    return problems;
  }

  #count(channel: number): ChannelCount {
    let count = this.#channels.get(channel);
    if (count === undefined) {
      count = { finals: 0, interims: 0, errors: 0, covered: 0, failed: 0, end: 0, outOfOrder: 0 };
      this.#channels.set(channel, count);
    }
    return count;
  }
}

function* checkChannel(ledger: ChannelLedger, count: ChannelCount, stopped: Stopped, sent: SentAudio) {
  const { received, decoded, inferred, silent, failed } = ledger;
  const frames = Math.floor((sent.bytes - stopped.skipped_bytes) / sent.frameBytes);
  // A stream that the server ended did not take all that was on its way.
  const whole = stopped.reason === "stop" || stopped.reason === "restart";
  if (whole ? received !== frames : received > frames) yield `received ${received} frames, ${frames} were sent`;
  if (ledger.received_rate !== sent.sampleRate) {
    yield `received_rate is ${ledger.received_rate}, ${sent.sampleRate} was sent`;
  }
  const expected = resampledLength(received, sent.sampleRate, sent.modelRate);
  if (decoded !== expected) yield `decoded ${decoded} samples, ${received} frames make ${expected}`;
  if (decoded !== inferred + silent + failed) {
    yield `decoded ${decoded}, but inferred ${inferred} + silent ${silent} + failed ${failed} = ${inferred + silent + failed}`;
  }
  if (failed !== count.failed) yield `failed ${failed} samples, errors named ${count.failed}`;
  if (inferred < count.covered) yield `inferred ${inferred} samples, final results cover ${count.covered}`;
  if (ledger.segments !== count.finals) yield `${ledger.segments} segments, ${count.finals} final results came`;
  if (ledger.errors !== count.errors) yield `${ledger.errors} errors, ${count.errors} came`;
  if (ledger.interims < count.interims) yield `${ledger.interims} interims, ${count.interims} came`;
  if (count.outOfOrder > 0) yield `${count.outOfOrder} final results begin before the one before them ends`;
}
