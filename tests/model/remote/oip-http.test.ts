import { afterEach, describe, expect, spyOn, test } from "bun:test";

import { OipHttp } from "../../../src/model/remote/oip-http.ts";
import type { Tensor } from "../../../src/model/remote/tensor.ts";
import { EngineError, type EngineRequest, type TransportOptions } from "../../../src/model/remote/transport.ts";
import { type Behaviour, FakeEngine, type Script } from "../../support/engines/fake-engine.ts";
import { encodeOutputs, inferenceReply } from "../../support/engines/fake-inference.ts";

const opened: OipHttp[] = [];
afterEach(() => {
  for (const transport of opened.splice(0)) transport.close();
});

function transport(options: Partial<TransportOptions> = {}): OipHttp {
  const created = new OipHttp({
    headers: () => ({}),
    connectTimeoutMs: 60_000,
    maxAnswerBytes: 1_000_000,
    encoding: "auto",
    ...options,
  });
  opened.push(created);
  return created;
}

const audio: Tensor = { name: "audio", datatype: "FP32", shape: [1, 3], data: Float32Array.of(0.5, -0.75, 0.25) };
const request: EngineRequest = { model: "m", inputs: [audio] };
const signal = new AbortController().signal;

const infer = (through: OipHttp, engine: FakeEngine, changes: Partial<EngineRequest> = {}) =>
  through.infer({ url: engine.url }, { ...request, ...changes }, { signal });

/** Returns the error of one inference. */
async function faultOf(script: Script, options: Partial<TransportOptions> = {}): Promise<EngineError> {
  await using engine = await FakeEngine.start(script);
  const error: unknown = await infer(transport(options), engine).catch((thrown: unknown) => thrown);
  if (!(error instanceof EngineError)) throw new Error(`found ${String(error)}`);
  return error;
}

const elements = ({ outputs }: { outputs: readonly Tensor[] }) =>
  Object.fromEntries(outputs.map(({ name, data }) => [name, Array.from<unknown>(data as string[])]));
const measured = { count: [3n], peak: [0.75], text: ["3 Wörter"] } as unknown as Record<string, never[]>;

describe("an inference over HTTP", () => {
  test("has its tensors as bytes behind the JSON, in both directions", async () => {
    await using engine = await FakeEngine.start();
    const answer = await infer(transport(), engine, { version: "2", id: "a", outputs: ["count", "text"] });
    expect(elements(answer)).toEqual(measured);
    const [received] = engine.requests;
    expect(received).toMatchObject({
      method: "POST",
      path: "/v2/models/m/versions/2/infer",
      inputs: [audio],
      json: {
        id: "a",
        parameters: { binary_data_output: true },
        inputs: [{ name: "audio", datatype: "FP32", shape: [1, 3], parameters: { binary_data_size: 12 } }],
        outputs: [{ name: "count" }, { name: "text" }],
      },
    });
    expect(received?.headers.get("accept-encoding")).toBe("identity");
  });

  test("has its tensors in the JSON for an engine that reads no others, which is found out once", async () => {
    const jsonOnly: Script = (received) =>
      received.headers.has("inference-header-content-length")
        ? { status: 500, body: "Internal Server Error", closes: true }
        : inferenceReply(received);
    await using engine = await FakeEngine.start(jsonOnly);
    const through = transport();
    expect(elements(await infer(through, engine))).toEqual(measured);
    expect(elements(await infer(through, engine))).toEqual(measured);
    expect(engine.requests.map(({ headers }) => headers.get("content-type"))).toEqual([
      "application/octet-stream",
      "application/json",
      "application/json",
    ]);
    expect(engine.requests[2]?.json?.inputs[0]?.data).toEqual([0.5, -0.75, 0.25]);
  });

  test("is not made twice, as bytes and as JSON, again and again for an engine that refuses both", async () => {
    await using engine = await FakeEngine.start(() => ({ status: 500, body: "broken" }));
    const through = transport();
    const now = spyOn(performance, "now").mockReturnValue(50_000);
    try {
      for (let call = 0; call < 5; call++) await expect(infer(through, engine)).rejects.toMatchObject({ status: 500 });
      expect(engine.requests).toHaveLength(6);
      now.mockReturnValue(51_000);
      engine.script = inferenceReply;
      await infer(through, engine);
      engine.script = () => ({ status: 500, body: "broken" });
      await expect(infer(through, engine)).rejects.toMatchObject({ status: 500 });
      expect(engine.requests).toHaveLength(8);
    } finally {
      now.mockRestore();
    }
  });

  test.each([
    ["FP16", Float16Array.of(0.5, -1, 0.25)],
    ["INT16", Int16Array.of(-32_768, 0, 32_767)],
    ["INT64", BigInt64Array.of(-1n, 0n, 7n)],
    ["BYTES", ["a", "", 'é"🎵']],
    ["BOOL", Uint8Array.of(1, 0, 1)],
  ] as const)("carries tensors of the type %s, as bytes and as JSON", async (datatype, data) => {
    const tensor: Tensor = { name: "audio", datatype, shape: [3], data };
    for (const encoding of ["binary", "json"] as const) {
      await using engine = await FakeEngine.start((received) => {
        const inputs = received.inputs.map((input) => ({ ...input, name: "back" }));
        return encodeOutputs(inputs, encoding === "binary");
      });
      const { outputs } = await infer(transport({ encoding }), engine, { inputs: [tensor] });
      expect(outputs).toEqual([{ ...tensor, name: "back" }]);
    }
  });

  test("takes elements that are nested like the shape", async () => {
    const body = `{"outputs":[{"name":"x","datatype":"INT32","shape":[2,2],"data":[[1,2],[3,4]]}]}`;
    await using engine = await FakeEngine.start(() => ({ status: 200, body }));
    expect((await infer(transport(), engine)).outputs[0]?.data).toEqual(Int32Array.of(1, 2, 3, 4));
  });

  test("says which sequence it belongs to, has the trace of the call, and headers that are read each time", async () => {
    await using engine = await FakeEngine.start();
    let token = 1;
    const through = transport({ headers: () => ({ authorization: `Bearer ${token++}` }) });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const sequence = { id: 7, start: true, end: false };
    await through.infer({ url: engine.url }, { ...request, sequence }, { signal, traceparent });
    await infer(through, engine);
    const [first, second] = engine.requests;
    expect(first?.json?.parameters).toMatchObject({ sequence_id: 7, sequence_start: true, sequence_end: false });
    expect(first?.headers.get("traceparent")).toBe(traceparent);
    expect([first, second].map((received) => received?.headers.get("authorization"))).toEqual(["Bearer 1", "Bearer 2"]);
  });

  test("ignores the proxy of the environment", async () => {
    await using engine = await FakeEngine.start();
    const script = `
      import { OipHttp } from ${JSON.stringify(require.resolve("../../../src/model/remote/oip-http.ts"))};
      const through = new OipHttp({ headers: () => ({}), connectTimeoutMs: 60000, maxAnswerBytes: 1e6, encoding: "auto" });
      const { outputs } = await through.infer({ url: ${JSON.stringify(engine.url)} }, { model: "m", inputs: [] },
        { signal: new AbortController().signal });
      console.log(outputs.length);`;
    const child = Bun.spawn([process.execPath, "-e", script], {
      env: { ...process.env, HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9" },
    });
    expect(await new Response(child.stdout).text()).toBe("3\n");
  });
});

describe("connections to an engine", () => {
  test("that were closed while idle are replaced, and the call is made once more on a new one", async () => {
    await using engine = await FakeEngine.start();
    const through = transport();
    await infer(through, engine);
    // As uvicorn does after an unhandled error: the next request on this connection finds it closed.
    engine.script = () => {
      engine.script = inferenceReply;
      return "close";
    };
    const before = engine.connections;
    expect(elements(await infer(through, engine))).toEqual(measured);
    expect([engine.requests.length, engine.connections - before]).toEqual([3, 1]);
  });

  test("that are new and closed are not tried again: an engine that fails so gets no call twice", async () => {
    await using engine = await FakeEngine.start();
    const through = transport();
    await infer(through, engine);
    engine.script = () => "close";
    for (const sent of [3, 4, 5]) {
      await expect(infer(through, engine)).rejects.toMatchObject({ fault: "reset" });
      expect(engine.requests).toHaveLength(sent);
    }
  });

  test("are not tried again for a step of a sequence, which the engine may have made", async () => {
    await using engine = await FakeEngine.start(() => "close");
    const sequence = { id: 7, start: false, end: false };
    await expect(infer(transport(), engine, { sequence })).rejects.toMatchObject({ fault: "reset" });
    expect(engine.requests).toHaveLength(1);
  });

  test("go to the address that was looked up, with the name of the host", async () => {
    await using engine = await FakeEngine.start();
    await transport().infer({ url: engine.url, hostName: "engines.test:8000" }, request, { signal });
    expect(engine.requests[0]?.headers.get("host")).toBe("engines.test:8000");
  });
});

const TRACEBACK = `Traceback (most recent call last):\n  File "/srv/model.py", line 3, in infer\nValueError: no audio\n`;

describe("a fault of an engine", () => {
  const text = (status: number, body: string): Behaviour => ({ status, body });

  test.each([
    ["the field error", text(400, `{"error":"unexpected shape"}`), "the status 400: unexpected shape"],
    ["the field detail", text(422, `{"detail":[{"loc":["body"]}]}`), `the status 422: [{"loc":["body"]}]`],
    ["the first 200 characters", text(503, "x".repeat(300)), `the status 503: ${"x".repeat(200)}…`],
    [
      "the last line of a traceback",
      text(500, JSON.stringify({ error: TRACEBACK })),
      "the status 500: ValueError: no audio",
    ],
    ["nothing", text(404, ""), "the status 404"],
  ])("is a status, with the words of %s", async (_, behaviour, words) => {
    const error = await faultOf(() => behaviour);
    expect(error.fault).toBe("status");
    expect(error.message).toBe(`the engine answered with ${words}`);
  });

  test.each([
    ["no answer", () => "close", "reset", /closed without an answer/],
    ["no HTTP", () => ({ status: 200, headers: { "content-length": "-5" } }), "bad_answer", /not HTTP/],
    ["half an answer", () => "half", "bad_answer", /cut off/],
    ["a redirect", () => ({ status: 307, headers: { location: "http://127.0.0.1:1/" } }), "bad_answer", /redirects/],
    [
      "a compressed answer",
      () => ({ status: 200, headers: { "content-encoding": "gzip" }, body: Bun.gzipSync("{}") }),
      "bad_answer",
      /encoded: gzip/,
    ],
    ["no JSON", () => text(200, "<html>"), "bad_answer", /not JSON/],
    ["no outputs", () => text(200, "{}"), "bad_answer", /no list of outputs/],
    [
      "a length that is too long",
      (r) => ({ ...inferenceReply(r), headers: { "inference-header-content-length": "99999" } }),
      "bad_answer",
      /Content-Length is "99999"/,
    ],
    [
      "a length that is too short",
      (r) => ({ ...inferenceReply(r), headers: { "inference-header-content-length": "3" } }),
      "bad_answer",
      /not JSON/,
    ],
    [
      "missing bytes",
      () => text(200, `{"outputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}`),
      "bad_answer",
      /some are missing/,
    ],
    [
      "missing elements",
      () => text(200, `{"outputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[1]}]}`),
      "bad_answer",
      /the elements of its shape/,
    ],
    [
      "an unknown type",
      () => text(200, `{"outputs":[{"name":"x","datatype":"BF16","shape":[1],"data":[1]}]}`),
      "bad_answer",
      /the type BF16/,
    ],
    [
      "a shape that is none",
      () => text(200, `{"outputs":[{"name":"x","datatype":"FP32","shape":[-1],"data":[1]}]}`),
      "bad_answer",
      /no valid shape/,
    ],
    ["a large answer", () => text(200, "x".repeat(2_000)), "bad_answer", /more than 1000 bytes/],
    [
      "a large answer of unknown length",
      () => ({
        status: 200,
        headers: { "transfer-encoding": "chunked" },
        body: `800\r\n${"x".repeat(2048)}\r\n0\r\n\r\n`,
      }),
      "bad_answer",
      /more than 1000 bytes/,
    ],
  ] as [string, Script, string, RegExp][])("is recognised: %s", async (_, script, fault, words) => {
    const error = await faultOf(script, { maxAnswerBytes: 1_000 });
    expect(error.fault).toBe(fault as "reset");
    expect(error.message).toMatch(words);
  });

  test("has a message of bounded length, on one line and without tokens, whatever the engine says", async () => {
    const name = `o\n\u001b[31m${"x".repeat(10_000)}`;
    const outputs = [{ name, datatype: "FP32", shape: [2], data: [1] }];
    const long = await faultOf(() => ({ status: 200, body: JSON.stringify({ outputs }) }));
    expect(long.message).toStartWith('the output "o\\u{a}\\u{1b}[31mxxx');
    expect(long.message.length).toBeLessThan(500);
    const echo = await faultOf(({ headers }) => ({ status: 401, body: `no: ${headers.get("authorization")}` }), {
      headers: () => ({ authorization: "Bearer 0123456789abcdef" }),
    });
    expect(echo.message).toBe("the engine answered with the status 401: no: Bearer [redacted]");
  });

  test("is an end of the call, if its signal ends it: by the time, or since it is not wanted", async () => {
    await using engine = await FakeEngine.start(() => "silence");
    const through = transport();
    for (const [reason, fault] of [
      [new DOMException("", "TimeoutError"), "timeout"],
      ["overtaken", "aborted"],
    ] as const) {
      const controller = new AbortController();
      const call = through.infer({ url: engine.url }, request, { signal: controller.signal });
      controller.abort(reason);
      await expect(call).rejects.toMatchObject({ fault });
    }
  });

  test("is a refusal, if nothing listens", async () => {
    const engine = await FakeEngine.start();
    await engine.kill();
    const error: unknown = await infer(transport(), engine).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ fault: "refused", message: "nothing listens there" });
  });
});

describe("the readiness of an engine", () => {
  test.each([
    [200, undefined],
    [404, undefined],
    [400, "status"],
    [503, "status"],
  ])("is judged by the status: %d", async (status, fault) => {
    await using engine = await FakeEngine.start();
    engine.ready = { status };
    const check = transport().checkReady({ url: engine.url }, { model: "m" }, signal);
    if (fault === undefined) expect(await check).toBeUndefined();
    else await expect(check).rejects.toMatchObject({ fault, status });
  });

  test("comes with the inputs of its model", async () => {
    await using engine = await FakeEngine.start();
    const inputs = [{ name: "audio", datatype: "FP32", shape: [-1, -1] }];
    engine.metadata = { status: 200, body: JSON.stringify({ name: "m", inputs }) };
    expect(await transport().readInputs({ url: engine.url }, { model: "m" }, signal)).toEqual(inputs as never);
  });
});
