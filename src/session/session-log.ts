import type { ChannelLedger, Started, StopReason } from "../protocol/events.ts";
import { sampleFormat } from "../protocol/format.ts";
import type { Logger } from "../telemetry/log/log.ts";
import { parseTraceparent } from "../telemetry/tracing/traceparent.ts";

export interface StreamEnd {
  /** `vanished`: the client was gone, and nobody was told. */
  readonly reason: StopReason | "vanished";
  /** One entry a channel. */
  readonly ledger: readonly ChannelLedger[];
  readonly trailing_bytes?: number;
  readonly skipped_bytes?: number;
}

/** What the log says of one session: that it opened and closed, and one line when a stream starts and one when it stops. */
export class SessionLog {
  readonly #log: Logger;
  readonly #clock: () => number;
  readonly #openedAt: number;
  #streams = 0;
  #stream: { readonly log: Logger; readonly startedAt: number } | undefined;

  /** @param clock milliseconds */
  constructor(log: Logger, session: string, pattern: string, clock: () => number) {
    this.#log = log.with({ session });
    this.#clock = clock;
    this.#openedAt = clock();
    this.#log.debug("session_opened", { pattern });
  }

  started(pattern: string, started: Started): void {
    const { stream, trace_id, model, format } = started;
    const { traceId: trace, spanId: span } = parseTraceparent(trace_id) ?? {};
    const log = this.#log.with({ stream, trace_id: trace, span_id: span });
    this.#streams += 1;
    this.#stream = { log, startedAt: this.#clock() };
    const { channels, sample_rate } = format;
    log.info("stream_started", { pattern, model, sample_format: sampleFormat(format), channels, sample_rate });
  }

  stopped(end: StreamEnd): void {
    if (this.#stream === undefined) return;
    const { log, startedAt } = this.#stream;
    this.#stream = undefined;
    const fields = { ...end, seconds: this.#secondsSince(startedAt) };
    if (end.reason === "vanished") log.warn("stream_stopped", fields);
    else log.info("stream_stopped", fields);
  }

  closed(code: number, reason: string): void {
    const seconds = this.#secondsSince(this.#openedAt);
    this.#log.debug("session_closed", { code, reason, seconds, streams: this.#streams });
  }

  #secondsSince(start: number): number {
    return Math.round(this.#clock() - start) / 1000;
  }
}
