import { resampledLength } from "../lib/resampled-length.ts";
import type { ChannelLedger, ServerEvent, Stopped } from "../protocol/events.ts";

/** The client's own account of a stream, which the server's ledger is compared with. */
export interface SentAudio {
  /** Bytes sent, WAV header included. */
  readonly bytes: number;
  readonly frameBytes: number;
  readonly channels: number;
  /** Hz. */
  readonly sampleRate: number;
  /** The model's sample rate, from `started`, in Hz. */
  readonly modelRate: number;
  /** The stream went on at another connection: interims that were sent just before are not in the ledger. */
  readonly isResumed?: boolean;
}

/** Totals of one channel's events. */
interface ChannelTotals {
  finals: number;
  interims: number;
  errors: number;
  /** Samples, at the model's rate, of final results. */
  covered: number;
  /** Samples, at the model's rate, of errors with a span. */
  failed: number;
  /** Position of the end of the last final result. */
  end: number;
  /** Final results that start before the end of the one before them. */
  outOfOrder: number;
}

/**
 * Counts the events of one stream and checks its ledger at the end. Its memory depends on the number of channels
 * only.
 */
export class LedgerCheck {
  readonly #rate: number;
  readonly #channels = new Map<number, ChannelTotals>();
  /** Spans without a result have errors of their own. */
  #namesFailures = true;

  /**
   * `modelRate` is `sample_rate` of `started`, in Hz. An event's time in seconds is position round(time * modelRate).
   */
  constructor(modelRate: number) {
    this.#rate = modelRate;
  }

  add(event: ServerEvent): void {
    if (event.type === "segment") {
      const totals = this.#totals(event.channel);
      if (event.is_final === false) {
        totals.interims += 1;
        return;
      }
      const start = Math.round(event.start_time * this.#rate);
      const end = Math.round(event.end_time * this.#rate);
      totals.finals += 1;
      totals.covered += end - start;
      if (start < totals.end) totals.outOfOrder += 1;
      totals.end = end;
    } else if (event.type === "error" && event.code === "slow_reader" && event.start_time === undefined) {
      this.#namesFailures = false;
    } else if (event.type === "error" && event.channel !== undefined) {
      const totals = this.#totals(event.channel);
      totals.errors += 1;
      const { start_time: start, end_time: end } = event;
      if (start !== undefined && end !== undefined) {
        totals.failed += Math.round(end * this.#rate) - Math.round(start * this.#rate);
      }
    }
  }

  /** Compares the ledger with the events and the sent audio. Returns a sentence for each difference. */
  problems(stopped: Stopped, sent: SentAudio): string[] {
    const problems: string[] = [];
    if (stopped.channels.length !== sent.channels) {
      problems.push(`the ledger has ${stopped.channels.length} channels; sent: ${sent.channels}`);
    }
    for (const ledger of stopped.channels) {
      const totals = this.#totals(ledger.channel);
      const found = [...checkChannel(ledger, totals, stopped, sent)];
      if (this.#namesFailures) found.push(...checkFailures(ledger, totals));
      for (const problem of found) problems.push(`channel ${ledger.channel}: ${problem}`);
    }
    return problems;
  }

  #totals(channel: number): ChannelTotals {
    let totals = this.#channels.get(channel);
    if (totals === undefined) {
      totals = { finals: 0, interims: 0, errors: 0, covered: 0, failed: 0, end: 0, outOfOrder: 0 };
      this.#channels.set(channel, totals);
    }
    return totals;
  }
}

function* checkChannel(ledger: ChannelLedger, totals: ChannelTotals, stopped: Stopped, sent: SentAudio) {
  const { received, decoded, inferred, silent, failed } = ledger;
  const frames = Math.floor((sent.bytes - stopped.skipped_bytes) / sent.frameBytes);
  // A stream that the server ended may not have received everything that was sent.
  const complete = stopped.reason === "stop" || stopped.reason === "restart";
  if (complete ? received !== frames : received > frames) yield `received ${received} frames; sent: ${frames}`;
  if (ledger.received_rate !== sent.sampleRate) {
    yield `received_rate ${ledger.received_rate} Hz; sent: ${sent.sampleRate} Hz`;
  }
  const expected = resampledLength(received, sent.sampleRate, sent.modelRate);
  if (decoded !== expected) yield `decoded ${decoded} samples; expected for ${received} frames: ${expected}`;
  const sum = inferred + silent + failed;
  if (decoded !== sum) {
    yield `decoded ${decoded} samples; inferred ${inferred} + silent ${silent} + failed ${failed} = ${sum}`;
  }
  if (inferred < totals.covered) yield `inferred ${inferred} samples; in final results: ${totals.covered}`;
  if (ledger.segments !== totals.finals) yield `${ledger.segments} segments; final results received: ${totals.finals}`;
  if (ledger.interims < totals.interims && sent.isResumed !== true)
    yield `${ledger.interims} interims; received: ${totals.interims}`;
  if (totals.outOfOrder > 0) yield `${totals.outOfOrder} final results overlap the one before them`;
}

function* checkFailures({ failed, errors }: ChannelLedger, totals: ChannelTotals) {
  if (failed !== totals.failed) yield `failed ${failed} samples; in error events: ${totals.failed}`;
  if (errors !== totals.errors) yield `${errors} errors; received: ${totals.errors}`;
}
