import { afterAll, beforeAll, describe, expect, type Mock, spyOn, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { isPlain } from "../../../src/stream/resume/plain-state.ts";
import { FakeEngine } from "../../support/engines/fake-engine.ts";
import { encodeOutputs, inferenceReply } from "../../support/engines/fake-inference.ts";
import { FINAL, loadRemote } from "../../support/engines/loaded-remote.ts";
import { waitUntil } from "../../support/wait.ts";

let print: Mock<typeof console.error>;
beforeAll(() => {
  print = spyOn(console, "error").mockImplementation(() => {});
});
afterAll(() => print.mockRestore());

const audio = (length: number) => new Float32Array(length).fill(0.25);
const measured = (length: number) => ({ count: length, peak: 0.25, text: `${length} Wörter` });
/** Patient, since the machine may be busy: only where a test says otherwise a call takes too long. */
const patient = { timeout_ms: 120_000, connect_timeout_ms: 120_000, health_ms: 0 };

describe("a model on engines", () => {
  test("returns the outputs as fields, and tries every engine with a second of silence when it is loaded", async () => {
    await using a = await FakeEngine.start();
    await using b = await FakeEngine.start();
    await using loaded = await loadRemote([a.url, b.url], patient);
    expect(await loaded.stateless.infer(audio(5), FINAL)).toEqual(measured(5));
    expect([a, b].map(({ requests }) => requests[0]?.inputs[0]?.shape)).toEqual([
      [1, 16_000],
      [1, 16_000],
    ]);
    expect(loaded.reasons).toEqual([]);
  });

  test("sends the audio in the form that is configured", async () => {
    await using engine = await FakeEngine.start();
    const inputs = { sr: { datatype: "INT64", shape: [1], data: [16_000] } };
    const settings = { datatype: "INT16", rank: 1, inputs, length_input: "n", output: "count", encoding: "json" };
    await using loaded = await loadRemote([engine.url], { ...patient, ...settings });
    expect(await loaded.stateless.infer(audio(2), FINAL)).toEqual({ count: 2 });
    expect(engine.requests.at(-1)?.json).toEqual({
      inputs: [
        { name: "audio", datatype: "INT16", shape: [2], data: [8_192, 8_192] },
        { name: "sr", datatype: "INT64", shape: [1], data: [16_000] },
        { name: "n", datatype: "INT64", shape: [1], data: [2] },
      ],
      outputs: [{ name: "count" }],
    } as never);
  });

  test("sends a token from a file", async () => {
    await using engine = await FakeEngine.start();
    const path = join(tmpdir(), `remote-token-${process.pid}`);
    writeFileSync(path, "abc\n");
    await using loaded = await loadRemote([engine.url], {
      ...patient,
      token_file: path,
      headers: { "x-team": "speech" },
    });
    await loaded.stateless.infer(audio(1), FINAL);
    rmSync(path);
    const { headers } = engine.requests.at(-1)!;
    expect([headers.get("authorization"), headers.get("x-team")]).toEqual(["Bearer abc", "speech"]);
  });

  test("is loaded without an engine, says why it cannot serve, and serves when there is one", async () => {
    await using engine = await FakeEngine.start();
    await engine.kill();
    await using loaded = await loadRemote([engine.url], patient);
    const reason = "no inference server is available (it is out of service: nothing listens there)";
    expect(loaded.reasons).toEqual([reason]);
    await expect(loaded.stateless.infer(audio(1), FINAL)).rejects.toMatchObject({
      code: "model_unavailable",
      message: reason,
    });
    await engine.listen();
    await waitUntil("the engine to be in service", () => loaded.reasons.at(-1) === undefined);
    expect(await loaded.stateless.infer(audio(5), FINAL)).toEqual(measured(5));
  });

  test("goes on with the other engines when one is killed, and takes it back when it is restarted", async () => {
    await using a = await FakeEngine.start();
    await using b = await FakeEngine.start();
    await using loaded = await loadRemote([a.url, b.url], { ...patient, retry_budget: 1 });
    await a.kill();
    for (let call = 0; call < 20; call++) expect(await loaded.stateless.infer(audio(5), FINAL)).toEqual(measured(5));
    expect(loaded.reasons).toEqual([]);
    await a.listen();
    const before = a.requests.length;
    await waitUntil("the engine to get calls again", async () => {
      await loaded.stateless.infer(audio(5), FINAL);
      return a.requests.length > before + 5;
    });
  });

  test("leaves out an engine that is frozen, and takes it back when it goes on", async () => {
    await using engine = await FakeEngine.start();
    await using loaded = await loadRemote([engine.url], { ...patient, timeout_ms: 300, breaker_failures: 1 });
    // A slow machine may have taken it out of service already.
    await waitUntil("the engine to be in service", () => loaded.reasons.at(-1) === undefined);
    engine.freeze();
    await expect(loaded.stateless.infer(audio(1), FINAL)).rejects.toMatchObject({ name: "RemoteFailure" });
    await waitUntil("the engine to be out of service", () => loaded.reasons.at(-1) !== undefined);
    engine.thaw();
    await waitUntil("the engine to be in service again", () => loaded.reasons.at(-1) === undefined);
  });

  test("leaves an engine in service that refuses silence, and prints its words once", async () => {
    print.mockClear();
    await using engine = await FakeEngine.start(() => ({ status: 400, body: `{"error":"no speech"}` }));
    await using loaded = await loadRemote([engine.url], patient);
    expect(loaded.reasons).toEqual([]);
    expect(print.mock.calls).toEqual([
      [`remote: ${engine.url}: a second of silence: the engine answered with the status 400: no speech`],
    ]);
  });

  test("prints when it is loaded that the engine does not have an output that is configured", async () => {
    print.mockClear();
    await using engine = await FakeEngine.start();
    await using loaded = await loadRemote([engine.url], { ...patient, output: "words" });
    expect(loaded.reasons).toEqual([]);
    expect(String(print.mock.calls[0])).toEndWith('the answer has no output "words"; it has count, peak, text');
  });

  test("finds an engine that is not ready by itself, without a call", async () => {
    await using engine = await FakeEngine.start();
    await using loaded = await loadRemote([engine.url], { ...patient, health_ms: 10 });
    engine.ready = { status: 503 };
    await waitUntil("the engine to be out of service", () => loaded.reasons.length > 0);
    expect(loaded.reasons[0]).toContain("the engine answered with the status 503");
    engine.ready = { status: 200 };
    await waitUntil("the engine to be in service", () => loaded.reasons.at(-1) === undefined);
  });

  test("that is closed makes no requests any more", async () => {
    await using engine = await FakeEngine.start();
    const loaded = await loadRemote([engine.url], { ...patient, health_ms: 1 });
    await loaded[Symbol.asyncDispose]();
    engine.ready = { status: 503 };
    await Bun.sleep(20);
    expect(loaded.reasons).toEqual([]);
  });
});

describe("a model with state as tensors", () => {
  const settings = { ...patient, state: { tensors: { heard: "heard_next" } } };
  const metadata = {
    status: 200,
    body: JSON.stringify({
      inputs: [
        { name: "audio", datatype: "FP32", shape: [-1, -1] },
        { name: "heard", datatype: "FP64", shape: [-1, 1] },
      ],
    }),
  };

  test("gives each block the state that the last one has returned, at any engine", async () => {
    await using a = await FakeEngine.start();
    await using b = await FakeEngine.start();
    a.metadata = b.metadata = metadata;
    await using loaded = await loadRemote([a.url, b.url], settings);
    let state = await loaded.stateful.start(FINAL);
    expect(state.tensors).toEqual([{ name: "heard", datatype: "FP64", shape: [1, 1], data: new Float64Array(1) }]);
    for (let block = 1; block <= 8; block++) {
      const [output, next] = await loaded.stateful.step(audio(100), state, FINAL);
      expect(output).toEqual(measured(100));
      state = structuredClone(next);
    }
    expect(state.tensors).toEqual([{ name: "heard", datatype: "FP64", shape: [1, 1], data: Float64Array.of(800) }]);
    // A stream that its client resumes goes on with it.
    expect(isPlain(state)).toBe(true);
  });

  test("keeps the state when an engine is killed between two blocks", async () => {
    await using a = await FakeEngine.start();
    await using b = await FakeEngine.start();
    a.metadata = b.metadata = metadata;
    await using loaded = await loadRemote([a.url, b.url], settings);
    const [, state] = await loaded.stateful.step(audio(100), await loaded.stateful.start(FINAL), FINAL);
    await a.kill();
    const [, next] = await loaded.stateful.step(audio(50), state, FINAL);
    expect(next.tensors[0]?.data).toEqual(Float64Array.of(150));
  });

  test("says which of its inputs the engine does not have", async () => {
    await using engine = await FakeEngine.start();
    await using loaded = await loadRemote([engine.url], settings);
    const words = 'the model has no input "heard" for the state; it has none';
    expect(loaded.reasons).toEqual([`no inference server is available (it is out of service: ${words})`]);
  });
});

describe("a model in sequences", () => {
  const settings = { ...patient, state: { sequence: true } };
  const steps = (engine: FakeEngine) =>
    engine.requests.slice(1).map(({ json, inputs }) => {
      const { sequence_id: id, sequence_start: start, sequence_end: end } = json?.parameters ?? {};
      return { id: Number(id), start, end, samples: inputs[0]?.shape.at(-1) };
    });

  test("is one sequence for each utterance, which stays with its engine", async () => {
    await using a = await FakeEngine.start();
    await using b = await FakeEngine.start();
    await using loaded = await loadRemote([a.url, b.url], settings);
    const stream = await loaded.pinned.open(FINAL);
    for (let utterance = 0; utterance < 2; utterance++) {
      expect(await stream.step(audio(100), FINAL)).toEqual(measured(100));
      await stream.step(audio(50), FINAL);
      expect(await stream.finish(FINAL)).toMatchObject({ count: 0 });
      await stream.reset?.();
    }
    const made = [...steps(a), ...steps(b)];
    const ids = [...new Set(made.map(({ id }) => id))];
    expect(ids).toHaveLength(2);
    for (const id of ids) {
      expect(made.filter((step) => step.id === id)).toEqual([
        { id, start: true, end: false, samples: 100 },
        { id, start: false, end: false, samples: 50 },
        { id, start: false, end: true, samples: 0 },
      ]);
    }
    expect(await stream.finish(FINAL)).toBeUndefined();
  });

  test("begins a new one after a step that failed, and says that the stream is lost", async () => {
    await using a = await FakeEngine.start();
    await using loaded = await loadRemote([a.url], settings);
    const stream = await loaded.pinned.open(FINAL);
    await stream.step(audio(100), FINAL);
    a.script = () => ({ status: 400, body: `{"error":"the sequence is unknown"}` });
    await expect(stream.step(audio(50), FINAL)).rejects.toMatchObject({ streamLost: true });
    a.script = inferenceReply;
    await stream.step(audio(30), FINAL);
    expect(steps(a).map(({ start, samples }) => [start, samples])).toEqual([
      [true, 100],
      [false, 50],
      [true, 30],
    ]);
  });

  test("is ended when its stream is closed", async () => {
    await using engine = await FakeEngine.start();
    await using loaded = await loadRemote([engine.url], settings);
    const stream = await loaded.pinned.open(FINAL);
    await stream.step(audio(100), FINAL);
    await stream.close();
    await waitUntil("the end of the sequence", () => steps(engine).at(-1)?.end === true);
  });

  test.each([0, 1])(
    "is ended when its client goes during a call, after %d others: the engine has its place back",
    async (before) => {
      await using engine = await FakeEngine.start();
      await using loaded = await loadRemote([engine.url], settings);
      const stream = await loaded.pinned.open(FINAL);
      for (let i = 0; i < before; i++) await stream.step(audio(100), FINAL);
      engine.script = () => "silence";
      const controller = new AbortController();
      const step = stream.step(audio(50), { ...FINAL, signal: controller.signal });
      await waitUntil("the step", () => steps(engine).length === before + 1);
      controller.abort();
      await expect(step).rejects.toThrow("not wanted");
      await stream.close();
      await waitUntil("the end of the sequence", () => steps(engine).at(-1)?.end === true);
      expect(new Set(steps(engine).map(({ id }) => id)).size).toBe(1);
      expect(steps(engine)).toHaveLength(before + 2);
    },
  );
});

test("an answer without the output that is wanted is an error of the call, and not of the engine", async () => {
  await using engine = await FakeEngine.start(() => encodeOutputs([], true));
  await using loaded = await loadRemote([engine.url], { ...patient, output: "text", breaker_failures: 1 });
  for (let call = 0; call < 3; call++) {
    await expect(loaded.stateless.infer(audio(1), FINAL)).rejects.toMatchObject({
      code: "inference_failed",
      message: 'the inference server: the answer has no output "text"; it has none',
    });
  }
});
