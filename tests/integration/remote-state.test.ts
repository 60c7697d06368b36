import { expect, setDefaultTimeout, test } from "bun:test";

import { encode, speech } from "../support/audio.ts";
import type { FakeEngine } from "../support/engines/fake-engine.ts";
import { FORMAT, RECOVERY, serve, startEngines } from "../support/engines/remote-server.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** The sequences of an engine: their samples, and whether they have been ended. */
function sequencesOf({ requests }: FakeEngine): { id: number; samples: number; steps: number; ended: boolean }[] {
  const sequences = new Map<number, { id: number; samples: number; steps: number; ended: boolean }>();
  for (const { json, inputs } of requests) {
    const id = Number(json?.parameters?.["sequence_id"]);
    const sequence = sequences.get(id) ?? { id, samples: 0, steps: 0, ended: false };
    sequence.samples += inputs[0]?.shape.at(-1) ?? 0;
    sequence.steps += 1;
    sequence.ended = json?.parameters?.["sequence_end"] === true;
    sequences.set(id, sequence);
  }
  return [...sequences.values()];
}

test("a model in sequences gets each utterance once, in steps, as a sequence that it ends", async () => {
  const engines = await startEngines(2);
  const settings = { "model.state.sequence": "true", "model.step_ms": 100, "model.fields.words": "text" };
  await using server = await serve(engines, settings);
  for (const engine of engines) engine.requests.length = 0;
  const client = await server.connect({ path: "/api/v1/segmented" });
  const bytes = encode("s16", speech([0.5, 0.5, 0.4, 0.6, 0.5], { rate: 16_000, seed: 5 }));
  client.start({ format: FORMAT });
  await client.sendInChunks(bytes, () => 1_234);
  client.stop({ disconnect: true });
  await client.waitForClose();
  const { stopped } = expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
  const sequences = engines.flatMap(sequencesOf);
  expect(sequences.length).toBe(stopped.channels[0]!.segments);
  expect(sequences.every(({ ended }) => ended)).toBe(true);
  expect(sequences.reduce((sum, { samples }) => sum + samples, 0)).toBe(stopped.channels[0]!.inferred);
  expect(Math.min(...sequences.map(({ steps }) => steps))).toBeGreaterThan(4);
});

test("a stream in a sequence goes on with a new one when the engine was restarted, and says that its state is lost", async () => {
  const [engine] = await startEngines(1);
  await using server = await serve([engine!], {
    ...RECOVERY,
    "model.state.sequence": "true",
    "stateful.block_ms": 100,
  });
  const block = encode("s16", speech([0.1], { rate: 16_000, seed: 3 })).subarray(0, 3_200);
  const client = await server.connect({ path: "/api/v1/stateful" });
  client.start({ format: FORMAT });
  await client.sendAudio(block);
  await client.nextEvent("segment");
  await engine!.kill();
  await client.sendAudio(block);
  expect((await client.nextEvent("error")).code).toBe("model_unavailable");
  await engine!.listen();
  let blocks = 2;
  const answered = () => client.eventsOf("segment").length + client.eventsOf("error").length;
  await waitUntil("a result of the restarted engine", async () => {
    await client.sendAudio(block);
    blocks++;
    await waitUntil("an answer", () => answered() === blocks);
    return client.eventsOf("segment").length === 2;
  });
  expect(client.eventsOf("warning").map(({ code }) => code)).toEqual(["state_lost"]);
  client.stop({ disconnect: true });
  await client.waitForClose();
  expectExactLedger(client.events, { bytes: 3_200 * blocks, frameBytes: 2, someUnanswered: true });
});

test("a model with state as tensors hears a whole stream, at any engine, also when one is killed", async () => {
  const engines = await startEngines(2);
  const inputs = [
    { name: "audio", datatype: "FP32", shape: [-1, -1] },
    { name: "heard", datatype: "FP64", shape: [-1, 1] },
  ];
  for (const engine of engines) engine.metadata = { status: 200, body: JSON.stringify({ inputs }) };
  await using server = await serve(engines, {
    ...RECOVERY,
    "model.state.tensors.heard": "heard_next",
    "model.retry_budget": 1,
  });
  for (const engine of engines) engine.requests.length = 0;
  const client = await server.connect({ path: "/api/v1/stateful" });
  const bytes = encode("s16", speech([1, 1], { rate: 16_000, seed: 5 }));
  client.start({ format: FORMAT });
  await client.sendAudio(bytes.subarray(0, bytes.length / 2));
  await client.nextEvent("segment");
  await engines[0]!.kill();
  await client.sendAudio(bytes.subarray(bytes.length / 2));
  client.stop({ disconnect: true });
  await client.waitForClose();
  const { stopped } = expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2, someUnanswered: true });
  expect(stopped.channels[0]).toMatchObject({ errors: 0, failed: 0 });
  const last = engines[1]!.requests.at(-1)!;
  const find = (name: string) => last.inputs.find((input) => input.name === name)!;
  expect(Number(find("heard").data[0]) + find("audio").data.length).toBe(stopped.channels[0]!.inferred);
});
