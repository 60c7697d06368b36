import { expect, test } from "bun:test";

import { encode, freshSeed, seeded, speech } from "../audio.ts";
import type { InProcessServer, Settings } from "../in-process-server.ts";
import { expectExactLedger } from "../ledgers.ts";
import { waitUntil } from "../wait.ts";
import type { Behaviour, FakeEngine, Script } from "./fake-engine.ts";
import { inferenceReply } from "./fake-inference.ts";
import { FORMAT, RECOVERY, serve, startEngines } from "./remote-server.ts";

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
const SHARE = 0.3;
const CODES = ["inference_failed", "inference_timeout", "model_unavailable"];

/** The kinds of remote models, with the patterns that they have. */
const KINDS: readonly { kind: string; patterns: readonly string[]; settings: Settings }[] = [
  { kind: "without state", patterns: ["simple", "stateful", "segmented"], settings: {} },
  {
    kind: "with state as tensors",
    patterns: ["stateful"],
    settings: { "model.state.tensors.heard": "heard_next", "model.fields.words": "text" },
  },
  {
    kind: "in sequences",
    patterns: ["stateful", "segmented"],
    settings: { "model.state.sequence": "true", "model.fields.words": "text" },
  },
];
const METADATA = `{"inputs":[{"name":"heard","datatype":"FP64","shape":[-1,1]}]}`;

/** Sends a stream. Returns the codes of its errors. */
export async function sendStream(server: InProcessServer, pattern: string, seed: number): Promise<string[]> {
  const random = seeded(seed);
  const bytes = encode("s16", speech([0.2, 0.4, 0.2, 0.3, 0.2 + 0.2 * random()], { rate: 16_000, seed }));
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
  expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2, someUnanswered: true });
  return client.eventsOf("error").map(({ code }) => code);
}

/** Waits until streams have no errors any more. */
export async function waitUntilWell(server: InProcessServer, pattern = "segmented"): Promise<void> {
  await waitUntil("a stream without errors", async () => (await sendStream(server, pattern, 1)).length === 0);
}

/** Answers some inferences wrongly, some late, and the others at once. */
function faulty(random: () => number): Script {
  return async (request) => {
    if (random() < 0.5) await Bun.sleep(5 * random());
    return random() < SHARE ? FAULTS[Math.floor(random() * FAULTS.length)]! : inferenceReply(request);
  };
}

/** Kills one of the engines and freezes one, perhaps the same, for a moment. */
async function disturb(engines: readonly FakeEngine[], random: () => number): Promise<void> {
  const any = (): FakeEngine => engines[Math.floor(random() * engines.length)]!;
  const [killed, frozen] = [any(), any()];
  await Bun.sleep(50 * random());
  await killed.kill();
  frozen.freeze();
  await Bun.sleep(100 * random());
  frozen.thaw();
  await killed.listen();
}

/** Defines a test for each kind of remote model: nothing is lost whatever its engines do in so many rounds of streams. */
export function testStreamsUnderEngineFaults(rounds: number, streams: number): void {
  const seed = freshSeed();
  test.each(KINDS)(`the ledger is exact whatever the engines of a model $kind do (seed ${seed})`, async (each) => {
    const { patterns, settings } = each;
    const random = seeded(seed);
    const engines = await startEngines(3);
    for (const engine of engines) engine.metadata = { status: 200, body: METADATA };
    const impatient = { "model.timeout_ms": 200, "model.max_answer_bytes": 4_096 };
    await using server = await serve(engines, { ...RECOVERY, ...impatient, ...settings });
    for (const engine of engines) engine.script = faulty(random);
    const codes = new Set<string>();
    for (let round = 0; round < rounds; round++) {
      const sent = Array.from({ length: streams }, (_, n) => {
        return sendStream(server, patterns[n % patterns.length]!, seed + streams * round + n);
      });
      await disturb(engines, random);
      for (const errors of await Promise.all(sent)) for (const code of errors) codes.add(code);
    }
    expect(CODES).toEqual(expect.arrayContaining([...codes]));
    // Which of them depends on how busy the machine is: too late is a fault, too, and takes an engine out of service.
    expect(codes.size).toBeGreaterThan(0);
    for (const engine of engines) engine.script = inferenceReply;
    await waitUntilWell(server, patterns.at(-1));
    await server.waitUntilIdle();
  });
}
