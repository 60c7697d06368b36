import type { ReceivedEvent } from "../../client/event-reader.ts";
import { LedgerCheck } from "../../client/ledger.ts";
import type { ChannelLedger, Started, Stopped } from "../../protocol/events.ts";
import { type AudioFormat, frameBytes } from "../../protocol/format.ts";
import { formatCount, formatNumber } from "../terminal/numbers.ts";
import { LatencyMeter } from "./latency-meter.ts";
import { OwedResults } from "./owed-results.ts";

/** Width of the labels at the start of report lines. */
export const REPORT_INDENT = 12;

export function reportLine(label: string, text: string): string {
  return label.padEnd(REPORT_INDENT) + text;
}

/** Follows one stream from both ends and reports on it when it has ended. All times are milliseconds on one clock. */
export class StreamReport {
  readonly #format: AudioFormat;
  readonly #frameBytes: number;
  /** When connecting began. */
  readonly #beginMs: number;
  readonly #latency: LatencyMeter;
  #owed: OwedResults | undefined;
  #sentBytes = 0;
  #firstEventMs: number | undefined;
  #firstResultMs: number | undefined;
  #started: Started | undefined;
  #stopped: Stopped | undefined;
  #check: LedgerCheck | undefined;
  #finals = 0;
  #errors = 0;

  /** `isLive`: false if the audio is known not to be sent as it is spoken. */
  constructor(format: AudioFormat, beginMs: number, isLive: boolean) {
    this.#format = format;
    this.#frameBytes = frameBytes(format);
    this.#beginMs = beginMs;
    this.#latency = new LatencyMeter(format.sample_rate, isLive);
  }

  /** Length of the audio sent so far, in seconds. */
  get sentSeconds(): number {
    return Math.floor(this.#sentBytes / this.#frameBytes) / this.#format.sample_rate;
  }

  /** True if the server has audio whose results should have come. */
  get owesResults(): boolean {
    return this.#stopped === undefined && this.#owed?.owes(this.sentSeconds) === true;
  }

  /** Results that have come, and errors in their place. */
  get answers(): number {
    return this.#finals + this.#errors;
  }

  /** Error events so far. */
  get errors(): number {
    return this.#errors;
  }

  /** True if the server has ended the stream with `stopped`. */
  get hasStopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** True if the server has ended the stream because it shuts down. */
  get isDrained(): boolean {
    return this.#stopped?.reason === "drain";
  }

  /** Notes that `bytes` bytes of audio have been sent in total, the last of them at `now`. */
  sent(bytes: number, now: number): void {
    this.#sentBytes = bytes;
    this.#latency.sent(Math.floor(bytes / this.#frameBytes), now);
  }

  /** Takes an event. Returns the latency, in milliseconds, of a final result that ends an utterance. */
  received({ event, receivedMs }: ReceivedEvent): number | undefined {
    this.#firstEventMs ??= receivedMs;
    this.#check?.add(event);
    switch (event.type) {
      case "started":
        this.#started = event;
        this.#check = new LedgerCheck(event.sample_rate);
        // Only where there are utterances does `started` have the settings of voice activity detection.
        this.#owed = new OwedResults(this.#format.channels, event.vad !== undefined);
        break;
      case "inactive":
        this.#latency.speechEnded(event);
        this.#owed?.speechEnded(event);
        break;
      case "segment":
        this.#firstResultMs ??= receivedMs;
        if (event.is_final !== false) {
          this.#finals += 1;
          this.#owed?.answered(event);
        }
        // Blocks have no is_final: only utterances have a latency.
        return event.is_final === true ? this.#latency.finalReceived(event, receivedMs) : undefined;
      case "error":
        this.#errors += 1;
        this.#latency.failed(event);
        this.#owed?.answered(event);
        break;
      case "stopped":
        this.#stopped = event;
        break;
      default:
    }
    return undefined;
  }

  /** Returns a sentence for each fault of the stream and its ledger. `complete`: all audio and `stop` were sent. */
  problems(complete: boolean, isResumed = false): string[] {
    const stopped = this.#stopped;
    if (this.#started === undefined || this.#check === undefined) return ["no stream was started"];
    if (stopped === undefined) return ["results are missing: the server did not send 'stopped'"];
    const problems = this.#check.problems(stopped, {
      bytes: this.#sentBytes,
      frameBytes: this.#frameBytes,
      channels: this.#format.channels,
      sampleRate: this.#format.sample_rate,
      modelRate: this.#started.sample_rate,
      isResumed,
    });
    const frames = Math.floor((this.#sentBytes - stopped.skipped_bytes) / this.#frameBytes);
    const missing = Math.max(0, ...stopped.channels.map(({ received }) => frames - received));
    if (stopped.reason === "drain") {
      // The server may end an open stream when it shuts down, but should answer what was sent until then.
      const seconds = (missing / this.#format.sample_rate).toFixed(2);
      if (missing > 0) problems.push(`the server shut down and did not take the last ${seconds} s that were sent`);
    } else if ((!complete || missing > 0) && stopped.reason !== "stop") {
      problems.push(`the server ended the stream early (${stopped.reason})`);
    }
    return problems;
  }

  /** Returns the lines of the report. `now` is the end of the stream. */
  lines(now: number, pace: "in real time" | "as fast as possible"): string[] {
    const elapsed = (now - this.#beginMs) / 1000;
    const audio = this.sentSeconds;
    const channels = formatCount(this.#format.channels, "channel");
    const factor = audio === 0 ? "-" : (elapsed / audio).toFixed(3);
    const length = `${audio.toFixed(2)} s of audio in ${channels}`;
    const firstEvent = this.#sinceBegin("first event", this.#firstEventMs);
    const firstResult = this.#sinceBegin("first result", this.#firstResultMs);
    return [
      reportLine("timing", `${firstEvent}, ${firstResult}`),
      reportLine("latency", this.#latencyText()),
      reportLine("total", `${elapsed.toFixed(2)} s for ${length}, sent ${pace}: real-time factor ${factor}`),
      ...(this.#stopped?.channels ?? []).map((ledger) => this.#ledgerLine(ledger)),
    ];
  }

  /** Returns the result of the stream in one sentence. */
  summary(problems: readonly string[]): string {
    const results = `${formatCount(this.#finals, "final result")}, ${formatCount(this.#errors, "error")}`;
    if (problems.length > 0) return `${results}; ${formatCount(problems.length, "problem")}`;
    return `${results}; the ledger adds up: every sample that was sent is accounted for`;
  }

  #sinceBegin(what: string, timeMs: number | undefined): string {
    return timeMs === undefined ? `no ${what}` : `${what} after ${Math.round(timeMs - this.#beginMs)} ms`;
  }

  #latencyText(): string {
    if (!this.#latency.isLive) return "not measured: the audio was sent faster than it is spoken; see --real-time";
    const summary = this.#latency.summary();
    if (summary === undefined) return "no utterance ended";
    const [p50, p95, max] = [summary.p50, summary.p95, summary.max].map(Math.round);
    const utterances = formatCount(summary.count, "utterance");
    return `end of speech to final result p50 ${p50} ms, p95 ${p95} ms, max ${max} ms (${utterances})`;
  }

  #ledgerLine(ledger: ChannelLedger): string {
    const received = `${formatNumber(ledger.received)} frames at ${formatNumber(ledger.received_rate)} Hz`;
    const decoded = `${formatNumber(ledger.decoded)} samples at ${formatNumber(this.#started?.sample_rate ?? 0)} Hz`;
    const parts = (["inferred", "silent", "failed"] as const).map((part) => `${formatNumber(ledger[part])} ${part}`);
    const counts = [
      formatCount(ledger.segments, "segment"),
      formatCount(ledger.interims, "interim"),
      formatCount(ledger.errors, "error"),
    ];
    const text = `${received} -> ${decoded} = ${parts.join(" + ")}; ${counts.join(", ")}`;
    return reportLine(`ledger [${ledger.channel}]`, text);
  }
}
