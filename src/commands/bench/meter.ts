import { count, keep, Tally } from "./tally.ts";

/** Takes what the streams of one process report. Latencies count only while `counting`. */
export class Meter {
  readonly tally = new Tally();
  readonly #messageMs: number;
  /** Streams between `started` and their end. */
  open = 0;
  counting = false;

  constructor(messageMs: number) {
    this.#messageMs = messageMs;
  }

  offered(): void {
    this.tally.offered += 1;
  }

  connected(milliseconds: number): void {
    keep(this.tally.connects, milliseconds);
  }

  started(milliseconds: number): void {
    this.open += 1;
    this.tally.admitted += 1;
    keep(this.tally.starts, milliseconds);
  }

  /** A stream was refused, with an HTTP status or an error code. */
  refused(reason: string, milliseconds: number): void {
    count(this.tally.refusals, reason);
    keep(this.tally.refusalTimes, milliseconds);
  }

  /** A message was sent so many milliseconds after it was due, although the connection could take it. */
  sent(lateMs: number): void {
    if (!this.counting) return;
    this.tally.messages += 1;
    if (lateMs > this.#messageMs) this.tally.late += 1;
    this.tally.maxLateMs = Math.max(this.tally.maxLateMs, lateMs);
  }

  /** Audio waits for so long because the server does not read. */
  held(milliseconds: number): void {
    if (this.counting) this.tally.maxHeldMs = Math.max(this.tally.maxHeldMs, milliseconds);
  }

  /**
   * A final result has come.
   * @param afterDecision milliseconds since the message with the deciding sample
   * @param afterSpeech milliseconds since the message with the end of speech
   */
  final(afterDecision: number, afterSpeech: number, audioSeconds: number): void {
    if (!this.counting) return;
    keep(this.tally.finals, afterDecision);
    keep(this.tally.speechEnds, afterSpeech);
    this.tally.finalSeconds += audioSeconds;
  }

  interim(milliseconds: number): void {
    if (this.counting) keep(this.tally.interims, milliseconds);
  }

  error(code: string): void {
    count(this.tally.errors, code);
  }

  warning(code: string): void {
    count(this.tally.warnings, code);
  }

  problem(text: string): void {
    count(this.tally.problems, text);
  }

  /** The server ended a stream. */
  stopped(reason: string, missing: number, failed: number): void {
    this.tally.stopped += 1;
    count(this.tally.reasons, reason);
    this.tally.missing += missing;
    this.tally.failed += failed;
  }

  /** A stream that had started is over. */
  closed(sentSeconds: number): void {
    this.open -= 1;
    this.tally.sentSeconds += sentSeconds;
  }
}
