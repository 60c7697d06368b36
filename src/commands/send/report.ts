import type { ReceivedEvent } from "../../client/event-reader.ts";
import { LedgerCheck, type SentAudio } from "../../client/ledger.ts";
import type { ErrorEvent, Inactive, Segment, Started, Stopped } from "../../protocol/events.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { frameBytes } from "../../protocol/format.ts";
import { SentLog } from "./clock.ts";
import { grouped } from "./event-text.ts";

/** Latencies kept for the percentiles, the newest. */
const LATENCIES = 65_536;

/** Follows one stream from both ends, for what is said about it when it is over. Moments are milliseconds on one clock. */
export class Report {
  readonly #format: AudioFormat;
  readonly #frameBytes: number;
  readonly #begin: number;
  readonly #sent: SentLog;
  #sentBytes = 0;
  #firstMessage: number | undefined;
  #firstResult: number | undefined;
  #started: Started | undefined;
  #check: LedgerCheck | undefined;
  #latencies: number[] = [];
  #finals = 0;
  #errors = 0;
  /** Ends of speech whose final has not come, by channel. */
  readonly #inactive = new Map<number, number[]>();
  stopped: Stopped | undefined;

  constructor(format: AudioFormat, begin: number) {
    this.#format = format;
    this.#frameBytes = frameBytes(format);
    this.#begin = begin;
    this.#sent = new SentLog(format.sample_rate);
  }

  /** All bytes handed to the connection so far; the last of them at `moment`. */
  sent(bytes: number, moment: number): void {
    this.#sentBytes = bytes;
    this.#sent.add(Math.floor(bytes / this.#frameBytes), moment);
  }

  get sentSeconds(): number {
    return Math.floor(this.#sentBytes / this.#frameBytes) / this.#format.sample_rate;
  }

  get errors(): number {
    return this.#errors;
  }

  /** Takes an event; for a final that ends an utterance, milliseconds since the sample at the end of speech was sent. */
  received({ event, receivedMs: at }: ReceivedEvent): number | undefined {
    this.#firstMessage ??= at;
    this.#check?.add(event);
    switch (event.type) {
      case "started":
        this.#started = event;
        this.#check = new LedgerCheck(event.sample_rate);
        break;
      case "inactive":
        this.#ended(event);
        break;
      case "segment":
        this.#firstResult ??= at;
        if (event.is_final !== false) this.#finals += 1;
        return event.is_final === true ? this.#latency(event, at) : undefined;
      case "error":
        this.#errors += 1;
        this.#forget(event);
        break;
      case "stopped":
        this.stopped = event;
        break;
      default:
    }
    return undefined;
  }

  /** What is wrong with the ledger, or that there is none; `complete`: all audio was sent, and `stop`. */
  problems(complete: boolean): string[] {
    const stopped = this.stopped;
    if (this.#started === undefined || this.#check === undefined) return ["no stream was started"];
    if (stopped === undefined) return ["results are missing: the stream was not ended by 'stopped'"];
    const problems = this.#check.problems(stopped, this.#audio(this.#started));
    const frames = Math.floor((this.#sentBytes - stopped.skipped_bytes) / this.#frameBytes);
    if (!complete || stopped.channels.some(({ received }) => received < frames)) {
      if (stopped.reason !== "stop") problems.push(`the server ended the stream early (${stopped.reason})`);
    }
    return problems;
  }

  /** The report, a line each. `end`: when all was over. */
  lines(end: number, pace: "paced in real time" | "as fast as possible"): string[] {
    const total = (end - this.#begin) / 1000;
    const audio = this.sentSeconds;
    const first = [
      since("first message", this.#firstMessage, this.#begin),
      since("first result", this.#firstResult, this.#begin),
    ];
    const factor = audio === 0 ? "-" : (total / audio).toFixed(3);
    return [
      `timing      ${first.filter(Boolean).join(", ")} after connecting began`,
      `latency     ${this.#latencyText(pace)}`,
      `total       ${total.toFixed(2)} s for ${audio.toFixed(2)} s of audio in ${plural(this.#format.channels, "channel")}: real-time factor ${factor} (time taken / length of the audio, ${pace})`,
      ...this.#ledgerLines(),
    ];
  }

  /** One line: what came of it all. */
  totals(problems: readonly string[]): string {
    const results = `${plural(this.#finals, "final result")}, ${plural(this.#errors, "error")}`;
    if (problems.length === 0) return `${results}; the ledger adds up: every sample that was sent is accounted for`;
    return `${results}; ${plural(problems.length, "problem")}`;
  }

  #audio(started: Started): SentAudio {
    const { channels, sample_rate: sampleRate } = this.#format;
    return {
      bytes: this.#sentBytes,
      frameBytes: this.#frameBytes,
      channels,
      sampleRate,
      modelRate: started.sample_rate,
    };
  }

  #ended({ channel, time }: Inactive): void {
    const ends = this.#inactive.get(channel) ?? [];
    ends.push(time);
    this.#inactive.set(channel, ends);
  }

  /** An error took the place of finals. */
  #forget({ channel, end_time: end }: ErrorEvent): void {
    const ends = channel === undefined ? undefined : this.#inactive.get(channel);
    if (end === undefined || ends === undefined) return;
    while (ends[0] !== undefined && ends[0] <= end) ends.shift();
  }

  #latency(segment: Segment, at: number): number | undefined {
    const ends = this.#inactive.get(segment.channel);
    if (ends === undefined) return undefined;
    while (ends[0] !== undefined && ends[0] < segment.start_time) ends.shift();
    const time = ends[0];
    if (time === undefined || time > segment.end_time) return undefined;
    ends.shift();
    const sent = this.#sent.moment(Math.round(time * this.#format.sample_rate));
    if (sent === undefined) return undefined;
    if (this.#latencies.length === LATENCIES) this.#latencies.shift();
    this.#latencies.push(at - sent);
    return at - sent;
  }

  #latencyText(pace: string): string {
    if (this.#latencies.length === 0) return "no utterance ended";
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
    const backlog = pace === "as fast as possible" ? "; not paced, so waiting in line is part of it" : "";
    return `end of speech to final result p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms (${plural(sorted.length, "utterance")}${backlog})`;
  }

  #ledgerLines(): string[] {
    const rate = this.#started?.sample_rate ?? 0;
    return (this.stopped?.channels ?? []).map((ledger) => {
      const got = `${grouped(ledger.received)} frames at ${grouped(ledger.received_rate)} Hz`;
      const made = `${grouped(ledger.decoded)} samples at ${grouped(rate)} Hz`;
      const parts = `${grouped(ledger.inferred)} inferred + ${grouped(ledger.silent)} silent + ${grouped(ledger.failed)} failed`;
      const counts = [
        plural(ledger.segments, "segment"),
        plural(ledger.interims, "interim"),
        plural(ledger.errors, "error"),
      ].join(", ");
      return `${`ledger [${ledger.channel}]`.padEnd(12)}${got} -> ${made} = ${parts}; ${counts}`;
    });
  }
}

function since(what: string, moment: number | undefined, begin: number): string | undefined {
  return moment === undefined ? `no ${what}` : `${what} ${Math.round(moment - begin)} ms`;
}

function plural(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}
