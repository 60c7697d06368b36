import { describe, expect, test } from "bun:test";

import { INVALID_SPAN_CONTEXT, trace } from "@opentelemetry/api";

import type { Outcome } from "../../../src/model/job.ts";
import { StreamSpans } from "../../../src/telemetry/tracing/stream-spans.ts";
import type { TracedJob } from "../../../src/telemetry/tracing/tracing.ts";
import { durationMs, SpanRecorder } from "../../support/recorded-spans.ts";

const OK: Outcome = { status: "ok", output: {}, queueMs: 20, inferMs: 30, worker: 1, batchSize: 2 };
const FINAL: TracedJob = { kind: "final", channel: 0, start: 1, end: 2, silence: 0.25 };

function open(usesVad = true) {
  const recorder = new SpanRecorder();
  const stream = new StreamSpans(recorder.tracer, recorder.tracer.startSpan("stream"), usesVad);
  return { recorder, stream };
}

describe("the spans of a stream", () => {
  test("with speech are grouped by utterance", () => {
    const { recorder, stream } = open();
    stream.speechStarted(0);
    stream.decodeStarted();
    stream.decodeEnded();
    const job = stream.jobSubmitted(FINAL);
    job.settled(OK);
    job.resultSent();
    stream.ended({});
    expect(recorder.spans.map((span) => recorder.pathOf(span).join(" > ")).toSorted()).toEqual([
      "stream",
      "stream > utterance",
      "stream > utterance > decode",
      "stream > utterance > endpointing",
      "stream > utterance > inference",
      "stream > utterance > inference > compute",
      "stream > utterance > inference > queue",
    ]);
  });

  test("without voice activity detection have no utterance", () => {
    const { recorder, stream } = open(false);
    stream.jobSubmitted({ ...FINAL, silence: undefined }).settled(OK);
    stream.ended({});
    expect(recorder.names.toSorted()).toEqual(["compute", "decode", "inference", "queue", "stream"]);
    expect(recorder.pathOf(recorder.one("inference"))).toEqual(["stream", "inference"]);
  });

  test("have the times and the worker of an outcome", () => {
    const { recorder, stream } = open();
    stream.jobSubmitted(FINAL).settled(OK);
    stream.ended({});
    expect(durationMs(recorder.one("queue"))).toBeCloseTo(20, 1);
    expect(durationMs(recorder.one("compute"))).toBeCloseTo(30, 1);
    expect(recorder.one("compute").attributes).toEqual({ "streamer.worker": 1, "streamer.batch_size": 2 });
    expect(recorder.one("inference").attributes).toEqual({
      "streamer.channel": 0,
      "streamer.final": true,
      "streamer.start_time": 1,
      "streamer.end_time": 2,
    });
  });

  test("continue with a new utterance when speech goes on after a final", () => {
    const { recorder, stream } = open();
    stream.speechStarted(0);
    for (const silence of [undefined, 0.25]) stream.jobSubmitted({ ...FINAL, silence }).resultSent();
    stream.ended({});
    expect(recorder.names.filter((name) => name === "utterance")).toHaveLength(2);
  });

  test("do not count what is left of a cut utterance as one when it has no speech", () => {
    const { recorder, stream } = open();
    stream.speechStarted(0);
    stream.jobSubmitted({ ...FINAL, silence: undefined }).resultSent();
    stream.speechStarted(0);
    stream.jobSubmitted({ ...FINAL, start: 7, end: 8 }).resultSent();
    stream.ended({});
    const utterances = recorder.spans.filter(({ name }) => name === "utterance");
    expect(utterances.map(({ attributes }) => attributes["streamer.start_time"])).toEqual([1, undefined, 7]);
  });

  test("of an interim belong to the current utterance and do not end it", () => {
    const { recorder, stream } = open();
    stream.speechStarted(0);
    const interim = stream.jobSubmitted({ ...FINAL, kind: "interim" });
    interim.settled(OK);
    interim.resultSent();
    expect(recorder.names).not.toContain("utterance");
    stream.jobSubmitted(FINAL).resultSent();
    expect(recorder.names).toContain("utterance");
  });

  test("of a model that is behind belong to the first utterance without a final", () => {
    const { recorder, stream } = open();
    stream.speechStarted(0);
    stream.speechStarted(0);
    const parents = (["interim", "final", "interim", "final"] as const).map((kind) => {
      stream.jobSubmitted({ ...FINAL, kind, silence: kind === "final" ? 0.25 : undefined }).settled(OK);
      return recorder.spans.findLast(({ name }) => name === "inference")?.parentSpanContext?.spanId;
    });
    expect(parents[0]).toBe(parents[1]!);
    expect(parents[2]).toBe(parents[3]!);
    expect(parents[0]).not.toBe(parents[2]);
    stream.ended({});
    expect(recorder.names.filter((name) => name === "utterance")).toHaveLength(2);
  });

  test("of a failed job have the error on the inference and the compute span, not on the stream", () => {
    const { recorder, stream } = open();
    stream
      .jobSubmitted(FINAL)
      .settled({ status: "failed", code: "worker_crashed", message: "it crashed", queueMs: 1, inferMs: 1 });
    stream.ended({});
    for (const name of ["inference", "compute"]) {
      const { status, events, attributes } = recorder.one(name);
      expect(attributes["error.type"]).toBe("worker_crashed");
      expect(status).toEqual({ code: 2, message: "worker_crashed" });
      expect(events[0]?.attributes).toMatchObject({ "exception.message": "it crashed" });
    }
    expect(recorder.one("stream").status.code).toBe(0);
  });

  test("do not include a job that was dropped", () => {
    const { recorder, stream } = open(false);
    stream.jobSubmitted({ ...FINAL, kind: "interim" }).settled({ status: "dropped" });
    stream.ended({});
    expect(recorder.names).toEqual(["stream"]);
  });

  test("all end with the stream, which has the given attributes", () => {
    const { recorder, stream } = open();
    stream.speechStarted(0);
    stream.jobSubmitted({ ...FINAL, kind: "interim" });
    stream.ended({ "streamer.reason": "stop" });
    expect(recorder.names).toEqual(["utterance", "inference", "stream"]);
    expect(recorder.one("stream").attributes).toEqual({ "streamer.reason": "stop" });
  });

  test("carry the error of a failed stream and the stack of a crashed one", () => {
    const { recorder, stream } = open();
    stream.failed("unknown_model", "no such model");
    stream.crashed(new TypeError("a bug"));
    stream.ended({});
    const { status, events } = recorder.one("stream");
    expect(status).toEqual({ code: 2, message: "unknown_model" });
    expect(events.map(({ attributes }) => attributes?.["exception.type"])).toEqual(["unknown_model", "TypeError"]);
    expect(events[1]?.attributes?.["exception.stacktrace"]).toContain("stream-spans.test.ts");
  });
});

test("a stream that is not sampled creates no spans and passes its own traceparent on", () => {
  const recorder = new SpanRecorder();
  const stream = new StreamSpans(recorder.tracer, trace.wrapSpanContext(INVALID_SPAN_CONTEXT), true);
  stream.speechStarted(0);
  const job = stream.jobSubmitted(FINAL);
  job.settled(OK);
  job.resultSent();
  stream.ended({});
  expect(recorder.names).toEqual([]);
  expect(job.traceparent).toBe(stream.traceparent);
});
