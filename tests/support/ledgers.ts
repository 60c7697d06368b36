import { expect } from "bun:test";

import type { ErrorEvent, Segment, ServerEvent, Started, Stopped } from "../../src/protocol/events.ts";

/** The events of one stream, from its `started` to its `stopped`. */
export interface StreamEvents {
  readonly started: Started;
  readonly stopped: Stopped;
  readonly events: readonly ServerEvent[];
}

/** What a client has sent in a stream. */
export interface SentAudio {
  readonly bytes: number;
  /** Bytes of one frame. */
  readonly frameBytes: number;
  /** True: the model may return no result for a span. */
  readonly someUnanswered?: boolean;
}

/**
 * Splits a connection's events by stream. Throws when a stream has not stopped, or when an event of a stream stands
 * outside of its `started` and `stopped`.
 */
export function streamsOf(events: readonly ServerEvent[]): StreamEvents[] {
  const streams: StreamEvents[] = [];
  let started: Started | undefined;
  let own: ServerEvent[] = [];
  for (const event of events) {
    if (event.type === "started") {
      if (started !== undefined) throw new Error("a stream started while another was open");
      started = event;
      own = [event];
    } else if (event.type === "stopped") {
      if (started === undefined) throw new Error("stopped without a stream");
      streams.push({ started, stopped: event, events: [...own, event] });
      started = undefined;
    } else if (started !== undefined) own.push(event);
    else if (event.type !== "error" && event.type !== "warning") throw new Error(`${event.type} outside of a stream`);
  }
  if (started !== undefined) throw new Error(`stream ${started.stream} has not stopped`);
  return streams;
}

/** Returns the only stream of a connection. Throws when there is none, or several. */
export function onlyStream(events: readonly ServerEvent[]): StreamEvents {
  const streams = streamsOf(events);
  const [stream] = streams;
  if (stream === undefined || streams.length > 1) throw new Error(`expected 1 stream; found ${streams.length}`);
  return stream;
}

/**
 * Expects the only stream of a connection to have an exact ledger: it agrees with the events, and with what was sent if
 * that is given. Returns the stream.
 */
export function expectExactLedger(events: readonly ServerEvent[], sent?: SentAudio): StreamEvents {
  const stream = onlyStream(events);
  expect(ledgerProblems(stream, sent)).toEqual([]);
  return stream;
}

/**
 * Returns a sentence for each contradiction between a stream's ledger and its events and, if `sent` is given, between
 * the ledger and what was sent. Throws when a time of an event is not that of a sample.
 */
export function ledgerProblems({ started, stopped, events }: StreamEvents, sent?: SentAudio): string[] {
  const problems: string[] = [];
  const compare = (what: string, found: number, expected: number): void => {
    if (found !== expected) problems.push(`${what} is ${found}, not ${expected}`);
  };
  const rate = started.sample_rate;
  compare("the number of ledgers", stopped.channels.length, started.format.channels);
  if (sent !== undefined)
    compare("trailing_bytes", stopped.trailing_bytes, (sent.bytes - stopped.skipped_bytes) % sent.frameBytes);
  // A client that reads nothing gets no errors for spans.
  const named = !events.some((event) => event.type === "error" && isUnread(event));
  for (const [index, ledger] of stopped.channels.entries()) {
    const of = `of channel ${index}`;
    compare(`channel ${of}`, ledger.channel, index);
    if (sent !== undefined) {
      compare(`received ${of}`, ledger.received, Math.floor((sent.bytes - stopped.skipped_bytes) / sent.frameBytes));
    }
    compare(`received_rate ${of}`, ledger.received_rate, started.format.sample_rate);
    compare(`decoded ${of}`, ledger.decoded, rescaled(ledger.received, rate, ledger.received_rate));
    compare(`inferred + silent + failed ${of}`, ledger.inferred + ledger.silent + ledger.failed, ledger.decoded);
    const own = events.filter((event) => "channel" in event && event.channel === index);
    const finals = own.filter((event): event is Segment => event.type === "segment" && event.is_final !== false);
    const errors = own.filter((event): event is ErrorEvent => event.type === "error");
    compare(`segments ${of}`, ledger.segments, finals.length);
    if (named) compare(`errors ${of}`, ledger.errors, errors.length);
    const answered = totalLength(finals, rate);
    if (sent?.someUnanswered !== true || ledger.inferred < answered)
      compare(`inferred ${of}`, ledger.inferred, answered);
    // An error at the end of a stateful stream covers no samples.
    const spans = errors.filter(({ start_time }) => start_time !== undefined);
    if (named) compare(`failed ${of}`, ledger.failed, totalLength(spans, rate));
    let end = 0;
    for (const event of own) {
      if (event.type === "error" && !spans.includes(event)) continue;
      if ((event.type !== "segment" || event.is_final === false) && event.type !== "error") continue;
      const [from, to] = boundsOf(event, rate);
      if (from < end) problems.push(`a span ${of} begins at ${from}, before ${end}, the end of the previous span`);
      if (to <= from) problems.push(`a span ${of} from ${from} to ${to}`);
      if (to > ledger.decoded) problems.push(`a span ${of} ends at ${to}, after all ${ledger.decoded} samples`);
      end = to;
    }
    // The simulated model counts its samples; others have no count.
    for (const event of finals.filter(({ count }) => count !== undefined)) {
      const [from, to] = boundsOf(event, rate);
      if (event["count"] !== to - from) problems.push(`count ${of} is ${String(event["count"])}, not ${to - from}`);
    }
  }
  return problems;
}

/** An error that ends the session of a client that does not read. */
function isUnread({ code, start_time }: ErrorEvent): boolean {
  return code === "slow_reader" && start_time === undefined;
}

/** The sum of the lengths of spans in samples. */
function totalLength(spans: readonly (Segment | ErrorEvent)[], rate: number): number {
  return spans.reduce((sum, span) => sum + boundsOf(span, rate)[1] - boundsOf(span, rate)[0], 0);
}

/** Start and end of a span in samples. */
function boundsOf(
  { start_time, end_time }: { start_time?: number | undefined; end_time?: number | undefined },
  rate: number,
): [number, number] {
  if (start_time === undefined || end_time === undefined) throw new Error("a span without bounds");
  const [from, to] = [start_time * rate, end_time * rate];
  // Times are unrounded quotients of whole samples.
  if (Math.round(from) / rate !== start_time || Math.round(to) / rate !== end_time)
    throw new Error(`a time between samples: ${start_time} to ${end_time}`);
  return [Math.round(from), Math.round(to)];
}

/** round(count * to / from), halves up. */
export function rescaled(count: number, to: number, from: number): number {
  return Number((2n * BigInt(count) * BigInt(to) + BigInt(from)) / (2n * BigInt(from)));
}

/**
 * Returns the events that do not depend on how the audio is cut into chunks and how fast it arrives: finals, speech
 * events and the ledger, grouped by channel and kind.
 */
export function chunkInvariantEvents(events: readonly ServerEvent[]): unknown[] {
  const kept = events.filter(
    (event) =>
      (event.type === "segment" && event.is_final !== false) ||
      ["active", "inactive", "flushed", "stopped"].includes(event.type),
  );
  // Channels are independent of each other, and so are speech events of results.
  const groupOf = (event: ServerEvent): string => {
    const channel = "channel" in event ? event.channel : "";
    if (event.type === "stopped") return `${channel} stopped`;
    return `${channel} ${event.type === "segment" || event.type === "flushed" ? "result" : "speech"}`;
  };
  return Object.entries(Object.groupBy(kept, groupOf)).sort(([a], [b]) => (a < b ? -1 : 1));
}
