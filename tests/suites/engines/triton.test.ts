import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test";

import { createGrpcTransport } from "../../../src/model/remote/oip-grpc.ts";
import { OipHttp } from "../../../src/model/remote/oip-http.ts";
import type { EngineRequest, EngineTransport } from "../../../src/model/remote/transport.ts";
import { encode, noise, speech } from "../../support/audio.ts";
import { streamThroughOutages } from "../../support/engines/outage.ts";
import { installTriton, Triton } from "../../support/engines/triton.ts";
import { BUILD_MS, Executable } from "../../support/executable.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { expectExactLedger } from "../../support/ledgers.ts";
import { testWith } from "../../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const packages = await installTriton();
const testHere = testWith(packages);

let triton: Triton;
beforeAll(async () => {
  if (packages !== undefined) triton = await Triton.start({ packages });
});
afterAll(async () => {
  if (packages !== undefined) await triton[Symbol.asyncDispose]();
});

const options = { headers: () => ({}), connectTimeoutMs: 60_000, maxAnswerBytes: 1_000_000 };
const TRANSPORTS: readonly [string, () => EngineTransport, () => string][] = [
  ["HTTP with binary tensors", () => new OipHttp({ ...options, encoding: "binary" }), () => triton.http],
  ["HTTP with JSON", () => new OipHttp({ ...options, encoding: "json" }), () => triton.http],
  ["gRPC", () => createGrpcTransport({ ...options, encoding: "auto" }), () => triton.grpc],
];
const signal = new AbortController().signal;

const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "no error",
    (error: unknown) => error,
  );

describe.each(TRANSPORTS)("over %s", (_, open, url) => {
  let transport: EngineTransport;
  beforeAll(() => {
    transport = open();
  });
  afterAll(() => transport.close());

  const infer = (request: EngineRequest) => transport.infer({ url: url() }, request, { signal });
  const audio = (length: number) =>
    ({ name: "audio", datatype: "FP32", shape: [1, length], data: new Float32Array(length).fill(0.5) }) as const;

  testHere("a model gets the audio, and its numbers and texts come back", async () => {
    const { outputs } = await infer({ model: "loudness", inputs: [audio(8_000)] });
    const level = Math.fround(20 * Math.log10(0.5));
    expect(outputs.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual([
      ["rms_dbfs", "FP32", [1, 1]],
      ["peak_dbfs", "FP32", [1, 1]],
      ["verdict", "BYTES", [1, 1]],
    ]);
    expect(outputs[0]!.data[0]).toBeCloseTo(level, 4);
    expect(outputs[2]!.data).toEqual(["loud"]);
  });

  testHere("only the outputs that are wanted come back", async () => {
    const { outputs } = await infer({ model: "loudness", inputs: [audio(100)], outputs: ["verdict"] });
    expect(outputs.map(({ name }) => name)).toEqual(["verdict"]);
  });

  testHere("a state goes there and back without a loss", async () => {
    const heard = { name: "heard", datatype: "FP64", shape: [1, 2], data: Float64Array.of(2 ** 40 + 1, 0.1) } as const;
    const { outputs } = await infer({ model: "loudness_stream", inputs: [audio(100), heard] });
    const next = outputs.find(({ name }) => name === "heard_next");
    expect(next).toMatchObject({ datatype: "FP64", shape: [1, 2] });
    expect([...(next!.data as Float64Array)]).toEqual([2 ** 40 + 101, 25.1]);
    expect(outputs.find(({ name }) => name === "samples")!.data).toEqual(BigInt64Array.of(2n ** 40n + 101n));
  });

  testHere("a sequence is kept by the engine from its start to its end, and none goes on without a start", async () => {
    const id = 1 + Math.floor(Math.random() * 2 ** 52);
    const step = async (length: number, start: boolean, end: boolean) => {
      const request = { model: "loudness_sequence", inputs: [audio(length)], sequence: { id, start, end } };
      const { outputs } = await infer(request);
      return outputs.find(({ name }) => name === "samples")!.data[0];
    };
    expect([await step(100, true, false), await step(50, false, false), await step(0, false, true)]).toEqual([
      100n,
      150n,
      150n,
    ]);
    expect(await failureOf(step(10, false, false))).toMatchObject({
      fault: "status",
      message: expect.stringContaining("must specify the START flag"),
    });
  });

  testHere("the inputs of a model are read, and a model that does not exist has a status", async () => {
    expect(await transport.readInputs({ url: url() }, { model: "loudness_stream" }, signal)).toEqual([
      { name: "audio", datatype: "FP32", shape: [-1, -1] },
      { name: "heard", datatype: "FP64", shape: [-1, 2] },
    ]);
    await transport.checkReady({ url: url() }, { model: "loudness" }, signal);
    expect(await failureOf(transport.checkReady({ url: url() }, { model: "absent" }, signal))).toMatchObject({
      fault: "status",
    });
    const call = infer({ model: "absent", inputs: [audio(10)] });
    expect(await failureOf(call)).toMatchObject({ fault: "status", message: expect.stringContaining("absent") });
  });

  testHere("a tensor that does not fit the model is refused with Triton's words", async () => {
    const wrong = { ...audio(10), name: "sound" };
    expect(await failureOf(infer({ model: "loudness", inputs: [wrong] }))).toMatchObject({
      fault: "status",
      status: 400,
      message: expect.stringContaining("sound"),
    });
  });
});

const S16 = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };

/** Settings of a server for one of the models. */
const remoteModel = (model: string, settings: Readonly<Record<string, string | number>> = {}) => ({
  "model.name": "remote",
  "model.urls": triton.http,
  "model.model": model,
  ...settings,
});

testHere.each(["oip-http", "oip-grpc"] as const)(
  "states of many streams at once are those of their own audio (%s)",
  async (protocol) => {
    const url = protocol === "oip-http" ? triton.http : triton.grpc;
    const settings = { "model.urls": url, "model.protocol": protocol, "model.state.tensors.heard": "heard_next" };
    await using server = await InProcessServer.start({
      ...remoteModel("loudness_stream", settings),
      "stateful.block_ms": 100,
    });
    const lengths = Array.from({ length: 12 }, (_, n) => 4_000 + 1_111 * n);
    const heard = lengths.map(async (length) => {
      const bytes = encode("s16", noise(length / 16_000, { level: 0.1 }));
      const client = await server.connect({ path: "/api/v1/stateful" });
      await client.sendStream(bytes, { format: S16 });
      expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
      return client.eventsOf("segment").at(-1)!["samples"];
    });
    expect(await Promise.all(heard)).toEqual(lengths);
  },
);

testHere.each(["oip-http", "oip-grpc"] as const)(
  "a sequence of the engine is a stream on /stateful, and an utterance on /segmented (%s)",
  async (protocol) => {
    const url = protocol === "oip-http" ? triton.http : triton.grpc;
    const settings = { "model.urls": url, "model.protocol": protocol, "model.state.sequence": "true" };
    await using server = await InProcessServer.start({
      ...remoteModel("loudness_sequence", settings),
      "stateful.block_ms": 100,
    });
    const whole = await server.connect({ path: "/api/v1/stateful" });
    await whole.sendStream(encode("s16", noise(1, { level: 0.1 })));
    // The last one is the answer to the end of the sequence.
    const blocks = Array.from({ length: 10 }, (_, n) => 1_600 * (n + 1));
    expect(whole.eventsOf("segment").map(({ samples }) => samples)).toEqual(blocks);
    expect(whole.eventsOf("data").map(({ samples }) => samples)).toEqual([16_000]);

    const utterances = await server.connect({ path: "/api/v1/segmented" });
    const bytes = encode("s16", speech([0.6, 0.9, 0.4]));
    await utterances.sendStream(bytes, { interim_results: true, interim_interval_ms: 200 });
    expectExactLedger(utterances.events, { bytes: bytes.length, frameBytes: 2 });
    const finals = utterances.eventsOf("segment").filter(({ is_final }) => is_final !== false);
    expect(finals.length).toBe(3);
    const lengths = finals.map(({ start_time, end_time }) => Math.round((end_time - start_time) * 16_000));
    expect(finals.map(({ samples }) => samples)).toEqual(lengths);
    expect(utterances.eventsOf("segment").length).toBeGreaterThan(finals.length);
  },
);

testHere("Triton combines the calls of many streams, since it gets them at once", async () => {
  await using server = await InProcessServer.start({
    ...remoteModel("loudness", { "model.concurrency": 64 }),
    "simple.block_ms": 100,
  });
  const before = await triton.statistics("loudness");
  const bytes = encode("s16", noise(1, { level: 0.1 }));
  const clients = await Promise.all(Array.from({ length: 32 }, () => server.connect({ path: "/api/v1/simple" })));
  await Promise.all(clients.map((client) => client.sendStream(bytes, { format: S16 })));
  const after = await triton.statistics("loudness");
  const [inferences, executions] = [after.inferences - before.inferences, after.executions - before.executions];
  expect(inferences).toBe(320);
  expect(executions).toBeLessThan(inferences);
});

const STREAMS = 30;

describe("an engine that goes away under load and comes back", () => {
  let executable: Executable;
  beforeAll(async () => {
    if (packages !== undefined) executable = await Executable.create();
  }, BUILD_MS);
  afterAll(async () => {
    if (packages !== undefined) await executable[Symbol.asyncDispose]();
  });

  testHere("killed and frozen: every sample has a result or an error, and the server does not spin", async () => {
    const report = await streamThroughOutages(executable, triton, {
      streams: STREAMS,
      protocols: ["oip-http", "oip-grpc"],
      outages: ["killed", "frozen"],
      phaseMs: 1_000,
      settings: { breaker_open_ms: 200 },
    });
    expect(report.problems).toEqual([]);
    expect(report.missing).toBe(0);
    for (const { pieces, before, out } of report.outages) {
      const { ok = 0, ...errors } = pieces;
      expect(ok).toBeGreaterThan(STREAMS);
      for (const code of Object.keys(errors)) expect(code).toBeOneOf(["model_unavailable", "inference_timeout"]);
      // A loop would use the processor for all the time between two messages, some ms.
      expect(out.processorSeconds / out.messages).toBeLessThan(0.002);
      expect(before.messages).toBeGreaterThan(0);
    }
    // No piece is sent more often than the budgets of the six models allow: one in ten, and ten that are saved up.
    const pieces = report.outages.flatMap((outage) => Object.values(outage.pieces)).reduce((a, b) => a + b, 0);
    const calls = Object.values(report.calls).reduce((a, b) => a + b, 0);
    // A sequence has a call at its end besides.
    expect(calls).toBeLessThanOrEqual(pieces + 3 * STREAMS + report.retries);
    expect(report.retries).toBeLessThanOrEqual(6 * 10 + pieces / 10);
    // Streams have two lines each. What is the same for many calls is said once.
    const results = report.outages.reduce((sum, outage) => sum + (outage.pieces["ok"] ?? 0), 0);
    expect(report.logged - 2 * STREAMS).toBeLessThan((pieces - results) / 2);
  });
});
