import { describe, expect, test } from "bun:test";

import { OtelTracing } from "../../../src/telemetry/tracing/otel-tracing.ts";
import { SpanRecorder } from "../../support/recorded-spans.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN_ID = "00f067aa0ba902b7";
const STREAM = { traceparent: undefined, tracestate: undefined, session: "s", stream: 3, pattern: "simple" };

function connect(headers: Record<string, string> = {}) {
  const recorder = new SpanRecorder();
  const adopted: string[] = [];
  const tracing = new OtelTracing(recorder.tracer, (traceId) => void adopted.push(traceId));
  const connection = tracing.startConnection(new Request("http://localhost/x?y=z", { headers }), "/api/v1/simple");
  return { recorder, adopted, connection };
}

describe("the span of a connection", () => {
  test("has the method of a request with a file", () => {
    const recorder = new SpanRecorder();
    const tracing = new OtelTracing(recorder.tracer, () => undefined);
    tracing.startConnection(new Request("http://localhost/v1/listen", { method: "POST" }), "/v1/listen").responded(200);
    expect(recorder.one("POST /v1/listen").attributes).toMatchObject({ "http.request.method": "POST" });
  });

  test("has the route, the client and the status of the response", () => {
    const { recorder, connection } = connect({ "user-agent": "a".repeat(300) });
    connection.responded(101);
    const { kind, status, attributes } = recorder.one("GET /api/v1/simple");
    expect([kind, status.code]).toEqual([1, 0]);
    expect(attributes).toMatchObject({
      "http.request.method": "GET",
      "http.route": "/api/v1/simple",
      "http.response.status_code": 101,
    });
    expect(attributes["user_agent.original"]).toBe(`${"a".repeat(200)}…`);
  });

  test("has the error code of a refusal, and is an error itself only for a server error", () => {
    for (const [httpStatus, spanStatus] of [
      [404, 0],
      [503, 2],
    ] as const) {
      const { recorder, connection } = connect();
      connection.responded(httpStatus, "code");
      const { status, attributes } = recorder.one("GET /api/v1/simple");
      expect([status.code, attributes["error.type"]]).toEqual([spanStatus, "code"]);
    }
  });

  test("without a request has the name of its dialect, and nothing of HTTP", () => {
    const recorder = new SpanRecorder();
    const tracing = new OtelTracing(recorder.tracer, () => {});
    tracing.startConnection(undefined, "wyoming").responded(503, "overloaded");
    const { status, attributes } = recorder.one("connect wyoming");
    expect([status.code, attributes]).toEqual([2, { "error.type": "overloaded" }]);
  });

  test("is a child of the span that the headers name", () => {
    const { recorder, connection } = connect({ traceparent: `00-${TRACE_ID}-${SPAN_ID}-01`, tracestate: "a=1" });
    connection.responded(101);
    const span = recorder.one("GET /api/v1/simple");
    expect(span.spanContext().traceId).toBe(TRACE_ID);
    expect(span.spanContext().traceState?.serialize()).toBe("a=1");
    expect(span.parentSpanContext).toMatchObject({ spanId: SPAN_ID, isRemote: true });
  });
});

describe("the span of a stream", () => {
  test("is a child of the connection, with the numbers of its session and stream", () => {
    const { recorder, connection } = connect();
    connection.responded(101);
    connection.startStream({ ...STREAM, usesVad: false }).ended({});
    const span = recorder.one("stream simple");
    expect(recorder.pathOf(span)).toEqual(["GET /api/v1/simple", "stream simple"]);
    expect(span.attributes).toEqual({
      "streamer.session": "s",
      "streamer.stream": 3,
      "streamer.pattern": "simple",
    });
    expect(span.links).toEqual([]);
  });

  test("is a child of the span that its start names, and links to the connection", () => {
    const { recorder, connection } = connect();
    connection.responded(101);
    const traceparent = `00-${TRACE_ID}-${SPAN_ID}-01`;
    const stream = connection.startStream({ ...STREAM, traceparent, usesVad: false });
    stream.ended({});
    const span = recorder.one("stream simple");
    expect(stream.traceparent).toBe(`00-${TRACE_ID}-${span.spanContext().spanId}-01`);
    expect(span.parentSpanContext?.spanId).toBe(SPAN_ID);
    expect(span.links.map(({ context }) => context)).toEqual([recorder.one("GET /api/v1/simple").spanContext()]);
  });

  test("is the first span of a trace of which only the id is known", () => {
    const { recorder, adopted, connection } = connect();
    connection.startStream({ ...STREAM, traceparent: TRACE_ID, usesVad: false }).ended({});
    expect(adopted).toEqual([TRACE_ID]);
    expect(recorder.one("stream simple").parentSpanContext).toBeUndefined();
  });
});
