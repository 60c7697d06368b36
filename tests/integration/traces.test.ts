import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import type { Started } from "../../src/protocol/events.ts";
import { concat, encode, noise, voice } from "../support/audio.ts";
import { FakeEngine } from "../support/engines/fake-engine.ts";
import { inferenceReply } from "../support/engines/fake-inference.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";
import { OtlpReceiver, type ReceivedSpan } from "../support/otlp.ts";
import { RECORDING } from "../support/recorded.ts";
import { S16_MONO } from "../support/requests.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
/** Largest difference between the clocks of two threads, in milliseconds. */
const CLOCK_SKEW_MS = 1;
/** The same of two processes, each of which reads the clock on the wall once. */
const PROCESS_SKEW_MS = 100;

const DELAY_MS = 100;
const SLOW: Settings = {
  "model.workers": 1,
  "model.delay": DELAY_MS / 1000,
  "model.constant_factor": 0,
  "model.jitter": 0,
};

const executable = await sharedExecutable();

/** An utterance of one second between pauses. */
const utterance = encode("s16", concat(noise(0.5), voice(1), noise(1)));

/** Sends the utterance in a stream on a new connection, and waits for the end of the stream. */
async function runStream(
  server: ServeProcess,
  fields: object = {},
  options: { path?: string; headers?: Record<string, string> } = {},
): Promise<Started> {
  using client = await server.connect(options);
  client.start(fields);
  const started = await client.nextEvent("started");
  await client.sendAudio(utterance);
  client.stop();
  await client.nextEvent("stopped");
  return started;
}

/** Expects `child` to be a child of `parent`, and to begin and end within it. */
function expectChild(child: ReceivedSpan, parent: ReceivedSpan, skewMs = CLOCK_SKEW_MS): void {
  expect(child.traceId).toBe(parent.traceId);
  expect(child.parentId).toBe(parent.spanId);
  expect(child.start).toBeGreaterThanOrEqual(parent.start - skewMs);
  expect(child.end).toBeLessThanOrEqual(parent.end + skewMs);
  expect(child.end).toBeGreaterThanOrEqual(child.start);
}

function duration({ start, end }: ReceivedSpan): number {
  return end - start;
}

test("one trace covers the command line, decoding, endpointing, the queue and the worker", async () => {
  await using otlp = new OtlpReceiver();
  await using server = await executable.serve(SLOW, [], otlp.env);
  const url = `ws://127.0.0.1:${server.port}/api/v1/segmented`;
  const sent = await executable.run(["send", "--input", RECORDING, "--addr", url, "--format", "json"], {
    env: otlp.env,
  });
  expect([sent.code, sent.err]).toEqual([0, expect.stringContaining("the ledger adds up")]);
  const events = sent.out.trim().split("\n");
  const finals = events.filter((line) => line.includes('"is_final":true')).length;
  expect(finals).toBeGreaterThan(3);

  await waitUntil("all spans", () => otlp.named("stream segmented").length === 1 && otlp.named("send").length === 1);
  expect(new Set(otlp.spans.map(({ traceId }) => traceId)).size).toBe(1);
  expect([...otlp.contentTypes]).toEqual(["application/x-protobuf"]);

  const root = otlp.one("send");
  expect([root.kind, root.parentId, root.service]).toEqual([3, "", "streamer-send"]);
  const upgrade = otlp.one("GET /api/v1/segmented");
  expectChild(upgrade, root, PROCESS_SKEW_MS);
  expect([upgrade.kind, upgrade.service, upgrade.attributes["http.response.status_code"]]).toEqual([
    2,
    "streamer",
    101,
  ]);
  const streamSpan = otlp.one("stream segmented");
  expect([streamSpan.kind, streamSpan.parentId]).toEqual([2, root.spanId]);
  expect(streamSpan.links).toEqual([{ traceId: upgrade.traceId, spanId: upgrade.spanId }]);
  expect((JSON.parse(events[0] ?? "") as Started).trace_id).toBe(`00-${streamSpan.traceId}-${streamSpan.spanId}-01`);
  expect(streamSpan.attributes["streamer.audio.received_seconds"]).toBe(36);

  const utterances = otlp.childrenOf(streamSpan);
  expect(utterances.map(({ name }) => name)).toEqual(Array.from({ length: finals }, () => "utterance"));
  for (const each of utterances) {
    expectChild(each, streamSpan);
    const children = otlp.childrenOf(each);
    expect(children.map(({ name }) => name).toSorted()).toEqual(["decode", "endpointing", "inference"]);
    for (const child of children) expectChild(child, each);
    const inference = children.find(({ name }) => name === "inference");
    if (inference === undefined) throw new Error("no inference");
    const parts = otlp.childrenOf(inference);
    expect(parts.map(({ name }) => name).toSorted()).toEqual(["compute", "queue"]);
    const [queue, compute] = ["queue", "compute"].map((name) => parts.find((part) => part.name === name));
    if (queue === undefined || compute === undefined) throw new Error("no queue or compute");
    expectChild(queue, inference);
    expectChild(compute, inference);
    expect(queue.end).toBeCloseTo(compute.start, 1);
    expect(duration(compute)).toBeGreaterThanOrEqual(DELAY_MS - CLOCK_SKEW_MS);
    expect(compute.attributes).toMatchObject({ "streamer.worker": 0, "streamer.batch_size": 1 });
  }
  // With one worker, jobs wait for those before them.
  const [starts, ends] = [otlp.named("queue").map(({ start }) => start), otlp.named("compute").map(({ end }) => end)];
  expect(Math.max(...ends) - Math.min(...starts)).toBeGreaterThanOrEqual((finals - 0.5) * DELAY_MS);
  // There are no other spans, in particular none for a message.
  expect(otlp.spans.length).toBe(3 + 6 * finals);
});

describe("a client's trace", () => {
  let otlp: OtlpReceiver;
  let server: ServeProcess;

  beforeAll(async () => {
    otlp = new OtlpReceiver();
    server = await executable.serve({ "model.workers": 1, "model.delay": 0 }, [], {
      ...otlp.env,
      OTEL_SERVICE_NAME: "speech",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    });
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await otlp[Symbol.asyncDispose]();
  });

  /** Waits until the span of a stream is exported, and returns it. */
  async function spanOf(started: Started): Promise<ReceivedSpan> {
    const [, , id] = started.trace_id.split("-");
    return await otlp.next("the stream's span", ({ spanId }) => spanId === id);
  }

  test("in the headers of the upgrade has the upgrade as a child, and the stream as a child of the upgrade", async () => {
    const headers = { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "vendor=7" };
    const span = await spanOf(await runStream(server, {}, { headers, path: "/api/v1/simple" }));
    const upgrade = otlp.spans.find(({ spanId }) => spanId === span.parentId);
    expect(upgrade).toMatchObject({
      name: "GET /api/v1/simple",
      traceId: TRACE,
      parentId: SPAN,
      traceState: "vendor=7",
    });
    expect(span).toMatchObject({ name: "stream simple", service: "speech", traceState: "vendor=7", links: [] });
    expect(new Set(otlp.childrenOf(span).map(({ name }) => name))).toEqual(new Set(["decode", "inference"]));
  });

  test("in a start takes precedence over the headers, for each stream of a session", async () => {
    using client = await server.connect({ headers: { traceparent: `00-${"1".repeat(32)}-${SPAN}-01` } });
    const started: Started[] = [];
    for (const [trace_id, tracestate] of [
      [`00-${TRACE}-${SPAN}-01`, "a=1"],
      [`00-${"2".repeat(32)}-${SPAN}-01`, "b=2"],
    ]) {
      client.start({ trace_id, tracestate });
      started.push(await client.nextEvent("started"));
      client.stop();
      await client.nextEvent("stopped");
    }
    const spans = [await spanOf(started[0]!), await spanOf(started[1]!)];
    expect(spans).toMatchObject([
      { traceId: TRACE, parentId: SPAN, traceState: "a=1", attributes: { "streamer.stream": 0 } },
      { traceId: "2".repeat(32), parentId: SPAN, traceState: "b=2", attributes: { "streamer.stream": 1 } },
    ]);
    expect(spans[0]?.links).toMatchObject([{ traceId: "1".repeat(32) }]);
  });

  test("may be given as a trace id alone; the stream is then its root span", async () => {
    const span = await spanOf(await runStream(server, { trace_id: "abcdef0123456789".repeat(2) }));
    expect(span).toMatchObject({ traceId: "abcdef0123456789".repeat(2), parentId: "" });
    const next = await spanOf(await runStream(server));
    expect(next.traceId).not.toBe(span.traceId);
  });

  test("that is not sampled is continued, and its spans are not exported", async () => {
    const started = await runStream(server, { trace_id: `00-${"3".repeat(32)}-${SPAN}-00` });
    expect(started.trace_id).toMatch(new RegExp(`^00-${"3".repeat(32)}-(?!${SPAN})[0-9a-f]{16}-00$`));
    await spanOf(await runStream(server));
    expect(otlp.spans.filter(({ traceId }) => traceId === "3".repeat(32))).toEqual([]);
  });

  test("has a span with the error code for a refused start", async () => {
    using client = await server.connect();
    client.start({ model: "unknown", trace_id: `00-${"4".repeat(32)}-${SPAN}-01` });
    await client.nextEvent("error");
    const span = await otlp.next("the span of the refused start", ({ traceId }) => traceId === "4".repeat(32));
    expect(span).toMatchObject({ status: 2, attributes: { "error.type": "unknown_model" } });
    expect(span.events).toMatchObject([{ name: "exception", attributes: { "exception.type": "unknown_model" } }]);
  });
});

test("a failed call and a crashed worker are errors of the span of the call, not of the stream", async () => {
  await using otlp = new OtlpReceiver();
  for (const [setting, code] of [
    ["model.failure_rate", "inference_failed"],
    ["model.panic_rate", "worker_crashed"],
  ] as const) {
    await using server = await executable.serve({ "model.workers": 1, "model.delay": 0, [setting]: 1 }, [], otlp.env);
    const { trace_id } = await runStream(server, { format: S16_MONO });
    const traceId = trace_id.split("-")[1] ?? "";
    const named = (name: string) => otlp.spans.filter((span) => span.traceId === traceId && span.name === name);
    await waitUntil("the stream's span", () => named("stream segmented").length === 1);
    for (const name of ["inference", "compute"]) {
      const [span] = named(name);
      expect(span).toMatchObject({ status: 2, attributes: { "error.type": code } });
      expect(span?.events).toMatchObject([{ name: "exception", attributes: { "exception.type": code } }]);
    }
    expect(named("stream segmented")[0]?.status).toBe(0);
  }
});

test.each(["thread", "process"])(
  "spans that a model creates are children of the span of its call (%s)",
  async (isolation) => {
    await using otlp = new OtlpReceiver();
    const model = join(import.meta.dir, "..", "support", "models", "traced.ts");
    await using server = await executable.serve(
      { "model.workers": 1, "model.name": model, "model.isolation": isolation },
      [],
      otlp.env,
    );
    const { trace_id } = await runStream(server);
    // The warm-up belongs to no stream and has another trace.
    const named = (name: string) =>
      otlp.named(name).filter(({ traceId }) => traceId === (trace_id.split("-")[1] ?? ""));
    await waitUntil("all spans", () => named("stream segmented").length > 0 && named("search").length > 0);
    const [inference] = named("inference");
    const [search, ...more] = named("search");
    if (search === undefined || inference === undefined) throw new Error("the model or the call has no span");
    expectChild(search, inference);
    expect([more, search.attributes["samples"]]).toEqual([[], expect.any(Number)]);
  },
);

test("an unreachable or unresponsive collector delays neither results nor the exit of the server", async () => {
  const hang = Promise.withResolvers<void>();
  await using silent = new OtlpReceiver({ delay: hang.promise });
  const stopped = new OtlpReceiver();
  const unreachable = stopped.env;
  await stopped[Symbol.asyncDispose]();
  for (const env of [silent.env, unreachable]) {
    await using server = await executable.serve({ "model.workers": 1, "model.delay": 0 }, [], {
      ...env,
      OTEL_BSP_MAX_QUEUE_SIZE: "64",
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "16",
    });
    for (let i = 0; i < 20; i++) await runStream(server);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  }
  hang.resolve();
});

test("the remaining spans are exported when the server shuts down", async () => {
  await using otlp = new OtlpReceiver();
  await using server = await executable.serve({ "model.workers": 1, "model.delay": 0 }, [], {
    ...otlp.env,
    OTEL_BSP_SCHEDULE_DELAY: "60000",
  });
  await runStream(server);
  expect(otlp.spans).toEqual([]);
  server.signal("SIGTERM");
  expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  expect(otlp.named("stream segmented")).toHaveLength(1);
});

test("nothing is exported without an endpoint, or when tracing is disabled", async () => {
  await using otlp = new OtlpReceiver();
  for (const env of [{}, { ...otlp.env, OTEL_SDK_DISABLED: "true" }, { ...otlp.env, OTEL_TRACES_EXPORTER: "none" }]) {
    await using server = await executable.serve({ "model.workers": 1, "model.delay": 0 }, [], env);
    const { trace_id } = await runStream(server, { trace_id: `00-${TRACE}-${SPAN}-01` });
    expect(trace_id).toStartWith(`00-${TRACE}-`);
    server.signal("SIGTERM");
    await server.waitForExit();
  }
  expect(otlp.requests).toBe(0);
});

test("a remote model adds a span for each attempt at an engine, whose trace context the engine gets", async () => {
  await using otlp = new OtlpReceiver();
  await using engine = await FakeEngine.start((request) => {
    // The first call with the utterance; before, there is silence to warm up.
    return engine.requests.length === 2 ? { status: 503 } : inferenceReply(request);
  });
  const remote = { "model.urls": engine.url, "model.model": "m", "model.name": "remote" };
  await using server = await executable.serve(remote, [], otlp.env);
  await runStream(server, {}, { headers: { traceparent: `00-${TRACE}-${SPAN}-01` } });
  await waitUntil("the spans", () => otlp.spans.filter(isTraced).some(({ name }) => name === "stream segmented"));
  await waitUntil("those of the engine", () => otlp.named("engine inference").filter(isTraced).length === 2);
  const [failed, answered] = otlp
    .named("engine inference")
    .filter(isTraced)
    .toSorted((a, b) => a.start - b.start);
  const inference = otlp.one("inference");
  for (const span of [failed!, answered!]) {
    expectChild(span, inference);
    expect([span.kind, span.attributes["server.address"]]).toEqual([3, `127.0.0.1:${engine.port}`]);
  }
  expect(failed?.attributes).toMatchObject({ "error.type": "status", "http.response.status_code": 503 });
  expect(engine.requests.slice(1).map(({ headers }) => headers.get("traceparent"))).toEqual(
    [failed!, answered!].map(({ spanId }) => `00-${TRACE}-${spanId}-01`),
  );
});

function isTraced({ traceId }: ReceivedSpan): boolean {
  return traceId === TRACE;
}
