import type { ErrorEvent, Segment, ServerEvent, Started, Stopped } from "../../src/protocol/events.ts";

/** The events of one stream, from its `started` to its `stopped`. */
export interface StreamEvents {
  readonly started: Started;
  readonly stopped: Stopped;
  readonly events: readonly ServerEvent[];
}

/** A connection's events by stream. Throws when one has not stopped, or something of a stream follows its `stopped`. */
export function streamsOf(events: readonly ServerEvent[]): StreamEvents[] {
  const streams: StreamEvents[] = [];
  let started: Started | undefined;
  let own: ServerEvent[] = [];
  for (const event of events) {
    if (event.type === "started") {
      if (started !== undefined) throw new Error("a stream started while one was open");
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

export interface Sent {
  readonly bytes: number;
  /** Bytes of one frame. */
  readonly frameBytes: number;
  /** The model may have nothing to say about a block. */
  readonly someUnanswered?: boolean;
}

/**
 * What does not add up, in sentences: between a stream's ledger and its events, and when `sent` is given, between the
 * ledger and what was sent.
 */
export function problemsOf({ started, stopped, events }: StreamEvents, sent?: Sent): string[] {
  const problems: string[] = [];
  const expect = (what: string, found: number, wanted: number): void => {
    if (found !== wanted) problems.push(`${what} is ${found}, not ${wanted}`);
  };
  const rate = started.sample_rate;
  expect("the number of ledgers", stopped.channels.length, started.format.channels);
  if (sent !== undefined)
    expect("trailing_bytes", stopped.trailing_bytes, (sent.bytes - stopped.skipped_bytes) % sent.frameBytes);
  for (const [index, ledger] of stopped.channels.entries()) {
    const of = `of channel ${index}`;
    expect(`channel ${of}`, ledger.channel, index);
    if (sent !== undefined) {
      expect(`received ${of}`, ledger.received, Math.floor((sent.bytes - stopped.skipped_bytes) / sent.frameBytes));
    }
    expect(`received_rate ${of}`, ledger.received_rate, started.format.sample_rate);
    expect(`decoded ${of}`, ledger.decoded, rescaled(ledger.received, rate, ledger.received_rate));
    expect(`inferred + silent + failed ${of}`, ledger.inferred + ledger.silent + ledger.failed, ledger.decoded);
    const own = events.filter((event) => "channel" in event && event.channel === index);
    const finals = own.filter((event): event is Segment => event.type === "segment" && event.is_final !== false);
    const errors = own.filter((event): event is ErrorEvent => event.type === "error");
    expect(`segments ${of}`, ledger.segments, finals.length);
    expect(`errors ${of}`, ledger.errors, errors.length);
    const answered = covered(finals, rate);
    if (sent?.someUnanswered !== true || ledger.inferred < answered)
      expect(`inferred ${of}`, ledger.inferred, answered);
    // An error at the end of a stateful stream covers no samples.
    const spans = errors.filter(({ start_time }) => start_time !== undefined);
    expect(`failed ${of}`, ledger.failed, covered(spans, rate));
    let end = 0;
    for (const event of own) {
      if (event.type === "error" && !spans.includes(event)) continue;
      if ((event.type !== "segment" || event.is_final === false) && event.type !== "error") continue;
      const [from, to] = bounds(event, rate);
      if (from < end) problems.push(`a span ${of} begins at ${from}, before ${end}, the end of the one before`);
      if (to <= from) problems.push(`a span ${of} from ${from} to ${to}`);
      if (to > ledger.decoded) problems.push(`a span ${of} ends at ${to}, behind all ${ledger.decoded} samples`);
      end = to;
    }
    // The simulated model counts its samples; others have no count.
    for (const event of finals.filter(({ count }) => count !== undefined)) {
      const [from, to] = bounds(event, rate);
      if (event["count"] !== to - from) problems.push(`count ${of} is ${String(event["count"])}, not ${to - from}`);
    }
  }
  return problems;
}

function covered(spans: readonly (Segment | ErrorEvent)[], rate: number): number {
  return spans.reduce((sum, span) => sum + bounds(span, rate)[1] - bounds(span, rate)[0], 0);
}

function bounds(
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

/** What may not depend on how bytes are cut and how fast they come: finals, speech events, ledger. */
export function invariant(events: readonly ServerEvent[]): unknown[] {
  const kept = events.filter(
    (event) =>
      (event.type === "segment" && event.is_final !== false) ||
      ["active", "inactive", "flushed", "stopped"].includes(event.type),
  );
  // Channels are independent of each other, and so are speech events of results.
  const key = (event: ServerEvent): string =>
    `${"channel" in event ? event.channel : ""} ${event.type === "segment" || event.type === "flushed" ? "result" : event.type === "stopped" ? "stopped" : "speech"}`;
  return Object.entries(Object.groupBy(kept, key)).sort(([a], [b]) => (a < b ? -1 : 1));
}
