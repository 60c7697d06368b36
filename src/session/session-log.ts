import type { Opened } from "../dialects/dialect.ts";
import type { Caller } from "../protocol/caller.ts";
import type { ChannelLedger, ServerEvent, Started, StopReason } from "../protocol/events.ts";
import { sampleFormat } from "../protocol/format.ts";
import type { Logger } from "../telemetry/log/log.ts";
import { parseTraceparent } from "../telemetry/tracing/traceparent.ts";
import type { Violation } from "./connection.ts";

/** The end of a stream: the fields of `stopped`, or of the ledger of a client that has vanished. */
export interface StreamEnd {
  readonly reason: StopReason | "vanished";
  /** Why the transport has closed the connection of a client that has vanished. */
  readonly violation?: Violation | undefined;
  readonly channels: readonly ChannelLedger[];
  readonly trailing_bytes?: number;
  readonly skipped_bytes?: number;
}

/** One session's lines in the log: its opening and close, and the start and stop of each stream. */
export class SessionLog {
  readonly #log: Logger;
  readonly #clock: () => number;
  readonly #pattern: string;
  readonly #openedAt: number;
  #streams = 0;
  #stream: { readonly log: Logger; readonly startedAt: number } | undefined;

  /** @param clock returns milliseconds */
  constructor(
    log: Logger,
    session: { readonly id: string; readonly caller: Caller },
    opened: Opened,
    clock: () => number,
  ) {
    const { id, caller } = session;
    // An address is logged with the opening only.
    this.#log = log.with(caller.credential === undefined ? { session: id } : { session: id, caller: caller.id });
    this.#clock = clock;
    this.#pattern = opened.pattern.name;
    this.#openedAt = clock();
    const { address } = caller;
    this.#log.debug("session_opened", { dialect: opened.dialect, pattern: this.#pattern, caller: caller.id, address });
  }

  /** Logs what an event says about the start or the end of a stream. */
  sent(event: ServerEvent): void {
    if (event.type === "started") this.#streamStarted(event);
    else if (event.type === "stopped") this.streamStopped(event);
  }

  /** Logs the end of the open stream once. */
  streamStopped({ reason, violation, channels, trailing_bytes, skipped_bytes }: StreamEnd): void {
    if (this.#stream === undefined) return;
    const { log, startedAt } = this.#stream;
    this.#stream = undefined;
    const bytes = trailing_bytes === undefined ? {} : { trailing_bytes, skipped_bytes };
    const why = violation === undefined ? { reason } : { reason, violation };
    const fields = { ...why, ledger: channels, ...bytes, seconds: this.#secondsSince(startedAt) };
    if (reason === "vanished") log.warn("stream_stopped", fields);
    else log.info("stream_stopped", fields);
  }

  /** Logs a fault of the server. */
  crashed(error: unknown): void {
    this.#log.error("session_crashed", { error });
  }

  /** Logs that the connection is gone without a close. Its code is the one that WebSocket reserves for this. */
  disconnected(reason: string): void {
    this.closed(1006, reason);
  }

  /** Logs the close, after the end of a stream that a fault has kept from being logged. */
  closed(code: number, reason: string): void {
    if (this.#stream !== undefined) this.streamStopped({ reason: "error", channels: [] });
    const seconds = this.#secondsSince(this.#openedAt);
    this.#log.debug("session_closed", { code, reason, seconds, streams: this.#streams });
  }

  #streamStarted({ stream, trace_id, model, format }: Started): void {
    const { traceId: trace, spanId: span } = parseTraceparent(trace_id) ?? {};
    const log = this.#log.with({ stream, trace_id: trace, span_id: span });
    this.#streams += 1;
    this.#stream = { log, startedAt: this.#clock() };
    const { channels, sample_rate } = format;
    const sample_format = sampleFormat(format);
    log.info("stream_started", { pattern: this.#pattern, model, sample_format, channels, sample_rate });
  }

  #secondsSince(start: number): number {
    return Math.round(this.#clock() - start) / 1000;
  }
}
