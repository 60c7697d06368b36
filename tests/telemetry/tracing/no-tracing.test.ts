import { describe, expect, test } from "bun:test";

import { untracedConnection } from "../../../src/telemetry/tracing/no-tracing.ts";

const [HEADER, START] = ["1", "2"].map((digit) => `00-${digit.repeat(32)}-00f067aa0ba902b7-01`);
const STREAM = { tracestate: undefined, session: "s", stream: 0, pattern: "simple", usesVad: false };

describe("without tracing", () => {
  test("a stream continues the trace of its start, or else that of the headers", () => {
    const connection = untracedConnection(HEADER);
    const named = connection.startStream({ ...STREAM, traceparent: START });
    expect(named.traceparent).toStartWith(`00-${"2".repeat(32)}-`);
    const inherited = connection.startStream({ ...STREAM, traceparent: undefined });
    expect(inherited.traceparent).toStartWith(`00-${"1".repeat(32)}-`);
  });

  test("a job has the traceparent of its stream", () => {
    const stream = untracedConnection(HEADER).startStream({ ...STREAM, traceparent: undefined });
    const job = stream.jobSubmitted({ kind: "final", channel: 0, start: 0, end: 1, silence: undefined });
    expect(job.traceparent).toBe(stream.traceparent);
  });
});
