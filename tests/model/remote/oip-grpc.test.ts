import { afterEach, describe, expect, test } from "bun:test";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer } from "node:net";

import { type Metadata, ServerCredentials, status } from "@grpc/grpc-js";

import { createGrpcTransport } from "../../../src/model/remote/oip-grpc.ts";
import type { EngineRequest, EngineTransport, TransportOptions } from "../../../src/model/remote/transport.ts";
import { Authority } from "../../support/certificates.ts";
import { GrpcEngine, type GrpcEngineOptions, StatusError } from "../../support/engines/grpc-engine.ts";
import { waitUntil, withTimeout } from "../../support/wait.ts";

const open: (Pick<EngineTransport, "close"> | GrpcEngine)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one instanceof GrpcEngine ? one[Symbol.dispose]() : one.close();
});

function transport(options: Partial<TransportOptions> = {}): EngineTransport {
  const made = createGrpcTransport({
    headers: () => ({}),
    connectTimeoutMs: 60_000,
    maxAnswerBytes: 1_000_000,
    encoding: "auto",
    ...options,
  });
  open.push(made);
  return made;
}

async function engine(options: GrpcEngineOptions): Promise<GrpcEngine> {
  const started = await GrpcEngine.start(options);
  open.push(started);
  return started;
}

/** Waits for the error itself: `rejects` of Bun 1.4.5 waits without the turns that the server of the test needs. */
const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "no error",
    (error: unknown) => error,
  );

const never = new AbortController().signal;
const audio = { name: "audio", datatype: "FP32", shape: [1, 3], data: Float32Array.of(0.5, -0.25, 1) } as const;
const request: EngineRequest = { model: "level", inputs: [audio] };

/** An answer with the bytes of one output. */
const oneOutput = (datatype: string, shape: number[], bytes: Uint8Array): object => ({
  outputs: [{ name: "out", datatype, shape }],
  raw_output_contents: [bytes],
});
/** Starts an engine that answers with these bytes and this status. Returns its URL. */
async function framed(body: readonly number[], trailers: Record<string, string>): Promise<string> {
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end(Buffer.from(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({ close: () => server.close() });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}
const empty = (): object => ({});
const hanging = (): Promise<never> => new Promise(() => {});

describe("a request", () => {
  test("has the model, the sequence, the inputs as bytes, the wanted outputs and the headers of the call", async () => {
    const seen: { fields: unknown; metadata: Metadata; deadline: unknown }[] = [];
    const { url } = await engine({
      ModelInfer: (fields, metadata, call) => {
        seen.push({ fields, metadata, deadline: call.getDeadline() });
        return {};
      },
    });
    const full: EngineRequest = {
      model: "level",
      version: "3",
      id: "stream-7",
      inputs: [audio, { name: "language", datatype: "BYTES", shape: [2], data: ["en", "ü"] }],
      outputs: ["text", "words"],
      sequence: { id: 2 ** 40, start: true, end: false },
    };
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const headers = (): Record<string, string> => ({ Authorization: "Bearer s3cret" });
    await transport({ headers }).infer({ url }, full, { signal: never, timeoutMs: 90_000, traceparent });
    expect(seen.map(({ fields }) => fields)).toEqual([
      {
        model_name: "level",
        model_version: "3",
        id: "stream-7",
        parameters: {
          sequence_id: { int64_param: 2 ** 40 },
          sequence_start: { bool_param: true },
          sequence_end: { bool_param: false },
        },
        inputs: [
          { name: "audio", datatype: "FP32", shape: [1, 3] },
          { name: "language", datatype: "BYTES", shape: [2] },
        ],
        outputs: [{ name: "text" }, { name: "words" }],
        raw_input_contents: [
          Buffer.from(audio.data.buffer),
          Buffer.from([2, 0, 0, 0, ...Buffer.from("en"), 2, 0, 0, 0, ...Buffer.from("ü")]),
        ],
      },
    ]);
    expect(seen[0]!.metadata.get("authorization")).toEqual(["Bearer s3cret"]);
    expect(seen[0]!.metadata.get("traceparent")).toEqual([traceparent]);
    // The engine gets the time that is left, and can drop the call then.
    expect(seen[0]!.deadline).not.toBe(Infinity);
  });

  test("takes the samples of a part of a longer array only", async () => {
    const seen: unknown[] = [];
    const { url } = await engine({ ModelInfer: ({ raw_input_contents: raw }) => (seen.push(raw), {}) });
    const part = Int16Array.of(1, 2, 3, 4).subarray(1, 3);
    const input = { name: "audio", datatype: "INT16", shape: [2], data: part } as const;
    await transport().infer({ url }, { model: "level", inputs: [input] }, { signal: never });
    expect(seen).toEqual([[Buffer.from([2, 0, 3, 0])]]);
  });

  test("with a header that gRPC cannot send fails without the value of the header", async () => {
    const { url } = await engine({ ModelInfer: empty });
    const call = transport({ headers: () => ({ "x-key": "s3cret\n" }) }).infer({ url }, request, { signal: never });
    expect(await failureOf(call)).toMatchObject({
      fault: "refused",
      message: `the header "x-key" cannot be sent over gRPC`,
    });
  });
});

describe("an answer", () => {
  test.each([
    ["BOOL", { bool_contents: [true, false] }, Uint8Array.of(1, 0)],
    ["INT8", { int_contents: [-3, 4] }, Int8Array.of(-3, 4)],
    ["INT16", { int_contents: [-300, 4] }, Int16Array.of(-300, 4)],
    ["INT32", { int_contents: [-70_000, 4] }, Int32Array.of(-70_000, 4)],
    ["INT64", { int64_contents: ["-9007199254740993", 4] }, BigInt64Array.of(-9007199254740993n, 4n)],
    ["UINT8", { uint_contents: [250, 4] }, Uint8Array.of(250, 4)],
    ["UINT16", { uint_contents: [65_000, 4] }, Uint16Array.of(65_000, 4)],
    ["UINT32", { uint_contents: [4e9, 4] }, Uint32Array.of(4e9, 4)],
    ["UINT64", { uint64_contents: ["18446744073709551615", 4] }, BigUint64Array.of(2n ** 64n - 1n, 4n)],
    ["FP32", { fp32_contents: [0.5, -0.25] }, Float32Array.of(0.5, -0.25)],
    ["FP64", { fp64_contents: [0.1, -0.25] }, Float64Array.of(0.1, -0.25)],
    ["BYTES", { bytes_contents: [Buffer.from("go"), Buffer.from("ü")] }, ["go", "ü"]],
  ])("has the elements of the type %s in a list, or as bytes", async (datatype, contents, data) => {
    const bytes = Array.isArray(data)
      ? Buffer.from([2, 0, 0, 0, ...Buffer.from("go"), 2, 0, 0, 0, ...Buffer.from("ü")])
      : new Uint8Array(data.buffer);
    const answers = [
      { outputs: [{ name: "out", datatype, shape: [1, 2], contents }] },
      oneOutput(datatype, [1, 2], bytes),
    ];
    const { url } = await engine({ ModelInfer: () => answers.shift() });
    const made = transport();
    const expected = { outputs: [{ name: "out", datatype, shape: [1, 2], data }] };
    expect(await made.infer({ url }, request, { signal: never })).toEqual(expected as never);
    expect(await made.infer({ url }, request, { signal: never })).toEqual(expected as never);
  });

  test.each([
    [
      "bytes of too few outputs",
      { outputs: [{}, {}], raw_output_contents: [Buffer.of(1)] },
      /2 outputs and the bytes of 1/,
    ],
    ["an unknown type", oneOutput("BF16", [1], Buffer.of(0, 0)), /the tensor "out" has the type "BF16"/],
    [
      "too few bytes",
      oneOutput("FP32", [2], Buffer.of(0, 0, 0, 0)),
      /"out" has 4 bytes, which are not its shape \[2\]/,
    ],
    ["half a text", oneOutput("BYTES", [1], Buffer.of(9, 0, 0, 0, 65)), /"out" ends within an element/],
    [
      "a list of another type",
      { outputs: [{ name: "out", datatype: "FP32", shape: [1], contents: { fp64_contents: [1] } }] },
      /"out" has 0 elements of the type FP32, which are not its shape \[1\]/,
    ],
    [
      "a negative size",
      { outputs: [{ name: "out", datatype: "FP32", shape: [-1] }] },
      /which are not its shape \[-1\]/,
    ],
    [
      "halves in a list, which the protocol has none for",
      { outputs: [{ name: "out", datatype: "FP16", shape: [1], contents: {} }] },
      /"out" has no list of elements of the type FP16/,
    ],
    ["more than max_answer_bytes", oneOutput("UINT8", [2000], new Uint8Array(2000)), /larger than max_answer_bytes/],
  ])("with %s is refused", async (_, fields, message) => {
    const { url } = await engine({ ModelInfer: () => fields });
    const call = transport({ maxAnswerBytes: 1000 }).infer({ url }, request, { signal: never });
    expect(await failureOf(call)).toMatchObject({ fault: "bad_answer", message: expect.stringMatching(message) });
  });

  test("with a compression that is not known is refused, as are codes that gRPC does not have", async () => {
    const zipped = await framed([1, 0, 0, 0, 1, 0], { "grpc-status": "0" });
    const call = transport().infer({ url: zipped }, request, { signal: never });
    expect(await failureOf(call)).toMatchObject({ fault: "bad_answer", message: "the answer is not readable" });
    const strange = await framed([0, 0, 0, 0, 0], { "grpc-status": "99", "grpc-message": "a%0Ab" });
    const message = "the code 99 of gRPC: a\\u{a}b";
    expect(await failureOf(transport().infer({ url: strange }, request, { signal: never }))).toMatchObject({ message });
  });

  test("that is large is read whole", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const { url } = await engine({ ModelInfer: () => oneOutput("UINT8", [60_000], bytes) });
    const { outputs } = await transport().infer({ url }, request, { signal: never });
    expect(outputs[0]!.data).toEqual(bytes);
  });
});

describe("a status of the engine", () => {
  test.each([
    ["INVALID_ARGUMENT", 400],
    ["NOT_FOUND", 404],
    ["PERMISSION_DENIED", 403],
    ["UNAUTHENTICATED", 401],
    ["RESOURCE_EXHAUSTED", 429],
    ["UNIMPLEMENTED", 501],
    ["UNAVAILABLE", 503],
    ["INTERNAL", 500],
    ["UNKNOWN", 500],
    ["DATA_LOSS", 500],
  ] as const)("%s counts as %i of HTTP", async (name, http) => {
    const { url } = await engine({
      ModelInfer: () => {
        throw new StatusError(status[name], `no ${"x".repeat(500)}`);
      },
    });
    const call = transport().infer({ url }, request, { signal: never });
    const message = `${name}: no ${"x".repeat(197)}…`;
    expect(await failureOf(call)).toMatchObject({ name: "EngineError", fault: "status", status: http, message });
  });

  test("DEADLINE_EXCEEDED is a time-out", async () => {
    const { url } = await engine({
      ModelInfer: () => {
        throw new StatusError(status.DEADLINE_EXCEEDED, "late");
      },
    });
    const call = transport().infer({ url }, request, { signal: never });
    expect(await failureOf(call)).toMatchObject({ fault: "timeout" });
  });

  test("for a method that the engine lacks is UNIMPLEMENTED", async () => {
    const { url } = await engine({ ModelReady: empty });
    const call = transport().infer({ url }, request, { signal: never });
    expect(await failureOf(call)).toMatchObject({ fault: "status", status: 501 });
  });
});

describe("a call", () => {
  test.each([
    ["a TimeoutError", new DOMException("late", "TimeoutError"), "timeout"],
    ["anything else", new Error("the stream has ended"), "aborted"],
  ])("aborted because of %s ends at once, in the engine, too", async (_, reason, fault) => {
    const cancelled = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const { url } = await engine({
      ModelInfer: (_fields, _metadata, call) => {
        call.on("cancelled", () => cancelled.resolve());
        arrived.resolve();
        return hanging();
      },
    });
    const controller = new AbortController();
    const call = transport().infer({ url }, request, { signal: controller.signal });
    call.catch(() => {});
    await withTimeout("the request", arrived.promise);
    controller.abort(reason);
    expect(await failureOf(call)).toMatchObject({ fault });
    await withTimeout("the cancellation in the engine", cancelled.promise);
  });

  test("that is aborted before it begins never reaches the engine", async () => {
    let calls = 0;
    const { url } = await engine({ ModelInfer: () => (calls++, {}) });
    const made = transport();
    const call = made.infer({ url }, request, { signal: AbortSignal.abort(new Error("over")) });
    expect(await failureOf(call)).toMatchObject({ fault: "aborted" });
    await made.infer({ url }, request, { signal: never });
    expect(calls).toBe(1);
  });

  test("ends when its time is over, also without an abort", async () => {
    const { url } = await engine({ ModelInfer: hanging });
    const call = transport().infer({ url }, request, { signal: never, timeoutMs: 50 });
    expect(await failureOf(call)).toMatchObject({ fault: "timeout", message: "no answer in time" });
  });

  test("to a port where nobody listens is refused, and the message has no address", async () => {
    const stopped = await engine({ ModelInfer: empty });
    stopped[Symbol.dispose]();
    const call = transport().infer({ url: stopped.url }, request, { signal: never });
    const message = "no connection to the engine (ECONNREFUSED)";
    expect(await failureOf(call)).toMatchObject({ fault: "refused", message });
  });

  test("to a name that does not exist is refused", async () => {
    const call = transport().infer({ url: "http://engine.invalid:8001" }, request, { signal: never });
    expect(await failureOf(call)).toMatchObject({ fault: "refused", message: "no connection to the engine" });
  });

  test("to a host that accepts and then says nothing is refused after connect_timeout_ms", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    const { port } = silent.address() as { port: number };
    const call = transport({ connectTimeoutMs: 50 }).infer({ url: `http://127.0.0.1:${port}` }, request, {
      signal: never,
    });
    const message = "no connection to the engine within 50 ms";
    expect(await failureOf(call)).toMatchObject({ fault: "refused", message });
    silent.close();
  });

  test("whose connection ends before the answer is reset; the next call connects anew to the engine that is back", async () => {
    const arrived = Promise.withResolvers<void>();
    const first = await engine({ ModelInfer: () => (arrived.resolve(), hanging()) });
    const made = transport();
    const call = made.infer({ url: first.url }, request, { signal: never });
    call.catch(() => {});
    await withTimeout("the request", arrived.promise);
    first[Symbol.dispose]();
    expect(await failureOf(call)).toMatchObject({ fault: "reset" });
    await engine({ ModelInfer: () => oneOutput("UINT8", [1], Buffer.of(7)), port: first.port });
    await waitUntil("an answer of the engine that is back", () =>
      made.infer({ url: first.url }, request, { signal: never }).then(
        () => true,
        () => false,
      ),
    );
  });

  test("after three that took too long in a row goes over a new connection", async () => {
    const peers: string[] = [];
    const { url } = await engine({
      ModelInfer: (_fields, _metadata, call) => {
        peers.push(call.getPeer());
        return hanging();
      },
    });
    const made = transport();
    for (let i = 0; i < 4; i++) {
      const count = peers.length;
      const controller = new AbortController();
      const call = made.infer({ url }, request, { signal: controller.signal });
      call.catch(() => {});
      await waitUntil("the request", () => peers.length > count);
      controller.abort(new DOMException("late", "TimeoutError"));
      expect(await failureOf(call)).toMatchObject({ fault: "timeout" });
    }
    expect(new Set(peers.slice(0, 3)).size).toBe(1);
    expect(peers[3]).not.toBe(peers[0]!);
  });

  test("goes to the engine itself, whatever the variables for proxies say", async () => {
    const { url } = await engine({ ModelInfer: () => oneOutput("UINT8", [1], Buffer.of(7)) });
    process.env["grpc_proxy"] = process.env["http_proxy"] = "http://127.0.0.1:9";
    try {
      const { outputs } = await transport().infer({ url }, request, { signal: never });
      expect(outputs).toHaveLength(1);
    } finally {
      delete process.env["grpc_proxy"];
      delete process.env["http_proxy"];
    }
  });
});

test("calls that run when others have made the connection suspect still end with their answers", async () => {
  const slow = Promise.withResolvers<object>();
  let calls = 0;
  const { url } = await engine({ ModelInfer: () => (calls++ === 0 ? slow.promise : hanging()) });
  const made = transport();
  const first = made.infer({ url }, request, { signal: never });
  await waitUntil("the first request", () => calls === 1);
  for (let i = 0; i < 3; i++) {
    const late = made.infer({ url }, request, { signal: never, timeoutMs: 50 });
    expect(await failureOf(late)).toMatchObject({ fault: "timeout" });
  }
  slow.resolve(oneOutput("UINT8", [1], Buffer.of(7)));
  expect((await withTimeout("the answer", first)).outputs).toHaveLength(1);
});

describe("the check of an engine", () => {
  const model = { model: "level", version: "2" };

  test("passes when the model is ready, and has the status of a model that is not", async () => {
    const seen: unknown[] = [];
    const answers = [{ ready: true }, { ready: false }];
    const { url } = await engine({ ModelReady: (fields) => (seen.push(fields), answers.shift()) });
    const made = transport();
    await made.checkReady({ url }, model, never);
    expect(await failureOf(made.checkReady({ url }, { model: "level" }, never))).toMatchObject({
      fault: "status",
      status: 503,
      message: `the model "level" is not ready`,
    });
    expect(seen).toEqual([{ name: "level", version: "2" }, { name: "level" }]);
  });

  test("returns the inputs of the model, with -1 for sizes that are free", async () => {
    const inputs = [{ name: "audio", datatype: "FP32", shape: [-1, -1] }];
    const { url } = await engine({ ModelMetadata: () => ({ name: "level", inputs }) });
    expect(await transport().readInputs({ url }, model, never)).toEqual(inputs as never);
  });
});

describe("over TLS", () => {
  test("the certificate is checked against the authority, and the client sends its own", async () => {
    const authority = await Authority.create();
    const [server, client] = [await authority.issue(), await authority.issue({ client: true })];
    const credentials = ServerCredentials.createSsl(
      Buffer.from(authority.cert),
      [{ cert_chain: Buffer.from(server.cert), private_key: Buffer.from(server.key) }],
      true,
    );
    const { port } = await engine({ ModelInfer: () => oneOutput("UINT8", [1], Buffer.of(7)), credentials });
    const url = `https://127.0.0.1:${port}`;
    const tls = { ca: authority.cert, cert: client.cert, key: client.key };
    expect((await transport({ tls }).infer({ url }, request, { signal: never })).outputs).toHaveLength(1);

    const stranger = await Authority.create("Another authority");
    const refused = transport({ tls: { ...tls, ca: stranger.cert } }).infer({ url }, request, { signal: never });
    expect(await failureOf(refused)).toMatchObject({
      fault: "refused",
      message: "no connection to the engine (self signed certificate in certificate chain)",
    });
  });

  test("the certificate is for the name that was looked up, not for its address", async () => {
    const authority = await Authority.create();
    const server = await authority.issue({ names: ["engine.test"] });
    const credentials = ServerCredentials.createSsl(null, [
      { cert_chain: Buffer.from(server.cert), private_key: Buffer.from(server.key) },
    ]);
    const { port } = await engine({ ModelInfer: () => oneOutput("UINT8", [1], Buffer.of(7)), credentials });
    const url = `https://127.0.0.1:${port}`;
    const made = transport({ tls: { ca: authority.cert } });
    expect((await made.infer({ url, hostName: "engine.test" }, request, { signal: never })).outputs).toHaveLength(1);
    expect(await failureOf(made.infer({ url }, request, { signal: never }))).toMatchObject({
      fault: "refused",
      message: "no connection to the engine (ERR_TLS_CERT_ALTNAME_INVALID)",
    });
  });
});
