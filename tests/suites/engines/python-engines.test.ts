// Engines that are large: `STREAMER_ENGINES=all` runs them.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { createGrpcTransport } from "../../../src/model/remote/oip-grpc.ts";
import { OipHttp } from "../../../src/model/remote/oip-http.ts";
import type { EngineRequest, EngineTransport } from "../../../src/model/remote/transport.ts";
import { encode, noise } from "../../support/audio.ts";
import { ENGINES, installEngine, PythonEngine } from "../../support/engines/python-engine.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { expectExactLedger } from "../../support/ledgers.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const isWanted = process.env["STREAMER_ENGINES"] === "all";
if (!isWanted) reportMissing(`${Object.keys(ENGINES).join(" and ")}: STREAMER_ENGINES=all installs and runs them`);

const options = { headers: () => ({}), connectTimeoutMs: 60_000, maxAnswerBytes: 1_000_000 };
const signal = new AbortController().signal;
const audio = (length: number) =>
  ({ name: "audio", datatype: "FP32", shape: [1, length], data: new Float32Array(length).fill(0.5) }) as const;

const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "no error",
    (error: unknown) => error,
  );

const engines = await Promise.all(
  Object.entries(ENGINES).map(async ([name, program]) => ({
    name,
    program,
    packages: isWanted ? await installEngine(program) : undefined,
  })),
);

describe.each(engines)("$name", ({ program, packages }) => {
  const testHere = testWith(packages);
  let engine: PythonEngine;
  beforeAll(async () => {
    if (packages !== undefined) engine = await PythonEngine.start(program, packages);
  });
  afterAll(async () => {
    if (packages !== undefined) await engine[Symbol.asyncDispose]();
  });

  describe.each([
    ["HTTP, in the form that it can read", () => new OipHttp({ ...options, encoding: "auto" }), () => engine.http],
    ["HTTP with JSON", () => new OipHttp({ ...options, encoding: "json" }), () => engine.http],
    ["gRPC", () => createGrpcTransport({ ...options, encoding: "auto" }), () => engine.grpc],
  ] satisfies [string, () => EngineTransport, () => string][])("over %s", (_, open, url) => {
    let transport: EngineTransport;
    beforeAll(() => {
      transport = open();
    });
    afterAll(() => transport.close());
    const infer = (request: EngineRequest) => transport.infer({ url: url() }, request, { signal });

    testHere("a model gets the audio, and its numbers and texts come back", async () => {
      const { outputs } = await infer({ model: "loudness", inputs: [audio(8_000)] });
      expect(outputs.find(({ name }) => name === "rms_dbfs")!.data[0]).toBeCloseTo(20 * Math.log10(0.5), 4);
      expect(outputs.find(({ name }) => name === "verdict")!.data).toEqual(["loud"]);
    });

    testHere("a state goes there and back without a loss", async () => {
      const data = Float64Array.of(2 ** 40 + 1, 0.1);
      const heard = { name: "heard", datatype: "FP64", shape: [1, 2], data } as const;
      const { outputs } = await infer({ model: "loudness_stream", inputs: [audio(100), heard] });
      expect([...(outputs.find(({ name }) => name === "heard_next")!.data as Float64Array)]).toEqual([
        2 ** 40 + 101,
        25.1,
      ]);
      expect(outputs.find(({ name }) => name === "samples")!.data).toEqual(BigInt64Array.of(2n ** 40n + 101n));
    });

    testHere("the inputs of a model are read", async () => {
      await transport.checkReady({ url: url() }, { model: "loudness" }, signal);
      expect(await transport.readInputs({ url: url() }, { model: "loudness_stream" }, signal)).toEqual([
        { name: "audio", datatype: "FP32", shape: [-1, -1] },
        { name: "heard", datatype: "FP64", shape: [-1, 2] },
      ]);
    });

    testHere("failures have their status, and the calls after them succeed", async () => {
      const absent = infer({ model: "absent", inputs: [audio(10)] });
      expect(await failureOf(absent)).toMatchObject({ fault: "status", status: 404 });
      for (let n = 0; n < 5; n++) {
        const wrong = infer({ model: "loudness", inputs: [{ ...audio(10), name: "sound" }] });
        expect(await failureOf(wrong)).toMatchObject({ fault: "status", status: 500 });
        // uvicorn closes a connection after some errors.
        expect((await infer({ model: "loudness", inputs: [audio(10)] })).outputs.length).toBeGreaterThan(0);
      }
    });
  });

  testHere.each(["oip-http", "oip-grpc"])("streams at once have states of their own audio (%s)", async (protocol) => {
    await using server = await InProcessServer.start({
      "model.name": "remote",
      "model.urls": protocol === "oip-http" ? engine.http : engine.grpc,
      "model.protocol": protocol,
      "model.model": "loudness_stream",
      "model.state.tensors.heard": "heard_next",
      "stateful.block_ms": 100,
    });
    const lengths = Array.from({ length: 8 }, (_, n) => 4_000 + 1_111 * n);
    const heard = lengths.map(async (length) => {
      const bytes = encode("s16", noise(length / 16_000, { level: 0.1 }));
      const client = await server.connect({ path: "/api/v1/stateful" });
      await client.sendStream(bytes);
      expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
      return client.eventsOf("segment").at(-1)!["samples"];
    });
    expect(await Promise.all(heard)).toEqual(lengths);
  });
});

test("STREAMER_ENGINES has a value that is known", () => {
  expect(process.env["STREAMER_ENGINES"] ?? "").toBeOneOf(["", "all"]);
});
