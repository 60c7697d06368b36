import { expect, setDefaultTimeout, test } from "bun:test";

import { encode, freshSeed, seeded, speech } from "../support/audio.ts";
import type { Behaviour, FakeEngine, Script } from "../support/engines/fake-engine.ts";
import { inferenceReply } from "../support/engines/fake-inference.ts";
import { FORMAT, RECOVERY, serve, startEngines } from "../support/engines/remote-server.ts";
import type { InProcessServer } from "../support/in-process-server.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const seed = freshSeed();

/** What an engine may do wrong. */
const FAULTS: readonly Behaviour[] = [
  "close",
  "half",
  "silence",
  { status: 400, body: `{"error":"no"}` },
  { status: 429 },
  { status: 500, body: "Internal Server Error", closes: true },
  { status: 503, body: "busy" },
  { status: 307, headers: { location: "http://127.0.0.1:1/" } },
  { status: 200, headers: { "content-encoding": "gzip" }, body: Bun.gzipSync("{}") },
  { status: 200, headers: { "inference-header-content-length": "7" }, body: "{}" },
  { status: 200, body: "x".repeat(10_000) },
  { status: 200, body: `{"outputs":[{"name":"text","datatype":"FP32","shape":[4],"data":[1]}]}` },
];

/** An engine that fails with this probability, is slow otherwise, and now and then answers at once. */
function faulty(random: () => number, share: number): Script {
  return async (request) => {
    if (random() < 0.5) await Bun.sleep(5 * random());
    return random() < share ? FAULTS[Math.floor(random() * FAULTS.length)]! : inferenceReply(request);
  };
}

/** Sends a stream. Returns the codes of its errors. */
async function sendStream(server: InProcessServer, pattern: string, each: number): Promise<string[]> {
  const random = seeded(each);
  const bytes = encode("s16", speech([0.2, 0.4, 0.2, 0.3, 0.2 + 0.2 * random()], { rate: 16_000, seed: each }));
  const client = await server.connect({ path: `/api/v1/${pattern}` });
  client.start({ format: FORMAT, interim_results: pattern === "segmented", interim_interval_ms: 100 });
  await waitUntil("an answer to the start", () => client.events.length > 0);
  if (client.eventsOf("started").length === 0) {
    // No engine is in service.
    client.reset();
    return client.eventsOf("error").map(({ code }) => code);
  }
  await client.sendInChunks(bytes, () => 1 + Math.floor(random() * 10_000));
  client.stop({ disconnect: true });
  await client.waitForClose();
  expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
  return client.eventsOf("error").map(({ code }) => code);
}

/** Waits until streams have no errors any more. */
async function waitUntilWell(server: InProcessServer): Promise<void> {
  await waitUntil("a stream without errors", async () => (await sendStream(server, "segmented", 1)).length === 0);
}

test(`the ledger is exact whatever engines do (seed ${seed})`, async () => {
  const random = seeded(seed);
  const engines = await startEngines(3);
  await using server = await serve(engines, { ...RECOVERY, "model.timeout_ms": 100, "model.max_answer_bytes": 4_096 });
  const codes = new Set<string>();
  for (const engine of engines) engine.script = faulty(random, 0.3);
  for (let round = 0; round < 3; round++) {
    const [killed, frozen] = [engines[Math.floor(random() * 3)]!, engines[Math.floor(random() * 3)]!];
    const streams = Array.from({ length: 9 }, (_, n) => {
      return sendStream(server, ["simple", "stateful", "segmented"][n % 3]!, seed + 9 * round + n);
    });
    await Bun.sleep(50 * random());
    await killed.kill();
    frozen.freeze();
    await Bun.sleep(100 * random());
    frozen.thaw();
    await killed.listen();
    for (const errors of await Promise.all(streams)) for (const code of errors) codes.add(code);
  }
  expect(["inference_failed", "inference_timeout", "model_unavailable"]).toEqual(expect.arrayContaining([...codes]));
  expect(codes.has("inference_failed")).toBe(true);
  for (const engine of engines) engine.script = inferenceReply;
  await waitUntilWell(server);
  await server.waitUntilIdle();
});

test("a server starts before its engine: it is ready, refuses streams with the reason, and serves when the engine is there", async () => {
  const [engine] = await startEngines(1);
  await engine!.kill();
  await using server = await serve([engine!], { ...RECOVERY, "models.levels.name": "levels" });
  expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
  const refused = await server.connect();
  refused.start({ format: FORMAT });
  expect(await refused.nextEvent("error")).toMatchObject({
    code: "model_unavailable",
    message: expect.stringContaining("no inference server is available (it is out of service: nothing listens there)"),
  });
  refused.reset();
  const other = await server.connect();
  other.start({ format: FORMAT, model: "levels" });
  await other.nextEvent("started");
  other.stop({ disconnect: true });
  await engine!.listen();
  await waitUntilWell(server);
});

test("a stream goes on when its engine is restarted: the spans in between are errors, those after are results", async () => {
  const [engine] = await startEngines(1);
  await using server = await serve([engine!], RECOVERY);
  const block = encode("s16", speech([0.1], { rate: 16_000, seed: 3 })).subarray(0, 3_200);
  const client = await server.connect({ path: "/api/v1/simple" });
  client.start({ format: FORMAT });
  await client.sendAudio(block);
  await client.nextEvent("segment");
  await engine!.kill();
  await client.sendAudio(block);
  expect((await client.nextEvent("error")).code).toBe("model_unavailable");
  await engine!.listen();
  await waitUntilWell(server);
  await client.sendAudio(block);
  await client.nextEvent("segment");
  client.stop({ disconnect: true });
  await client.waitForClose();
  expectExactLedger(client.events, { bytes: 9_600, frameBytes: 2 });
});

test("the metrics of a remote model have its requests by endpoint and result, and its endpoints by state", async () => {
  const [a, b] = await startEngines(2);
  await using server = await serve([a!, b!]);
  await sendStream(server, "simple", 1);
  await b!.kill();
  await sendStream(server, "simple", 1);
  const endpoint = (engine: FakeEngine) => `127.0.0.1:${engine.port}`;
  await waitUntil("the metrics of the model", async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const has = (name: string, labels: string) => text.includes(`streamer_model_${name}{model="remote",${labels}}`);
    return (
      has("engine_requests_total", `endpoint="${endpoint(a!)}",result="ok"`) &&
      has("engine_requests_total", `endpoint="${endpoint(b!)}",result="refused"`) &&
      has("engine_retries_total", `reason="refused"`) &&
      has("engine_outstanding", `endpoint="${endpoint(a!)}"`) &&
      has("engine_endpoints", `endpoint="${endpoint(a!)}",state="closed"`)
    );
  });
});
