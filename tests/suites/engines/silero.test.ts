import { expect } from "bun:test";
import { join } from "node:path";

import { noise } from "../../support/audio.ts";
import { BUILD_MS, Executable } from "../../support/executable.ts";
import { installedExample } from "../../support/installed-example.ts";
import { testPool } from "../../support/pool-harness.ts";
import { recorded, RECORDING } from "../../support/recorded.ts";
import { testWith } from "../../support/requirements.ts";

const folder = await installedExample("silero");
const path = join(folder ?? "", "model.ts");
const testHere = testWith(folder);

const PATIENCE_MS = 60_000;
/** Less than 5 s of audio take on any processor. */
const TIMEOUT_MS = 5;

/** The probability of speech for each window of 32 ms, from blocks of `block` samples in turn. */
async function windows(
  kit: Awaited<ReturnType<typeof testPool>>,
  samples: Float32Array,
  block: number,
): Promise<number[]> {
  const lane = kit.lane();
  const heard: number[] = [];
  let state: unknown;
  for (let at = 0; at < samples.length; at += block) {
    const turn = at === 0 ? ({ step: "start" } as const) : ({ step: "step", state } as const);
    const outcome = await kit.submit(lane, samples.slice(at, at + block), turn);
    if (outcome.status !== "ok") throw new Error(JSON.stringify(outcome));
    ({ state } = outcome);
    heard.push(...((outcome.output?.["windows"] ?? []) as number[]));
  }
  lane.close();
  return heard;
}

testHere(
  "it hears speech where somebody speaks, none in noise and silence, and the same at any block size",
  async () => {
    await using kit = await testPool({ model: path, workers: 3 });
    const speech = (await recorded(0)).slice(0, 5 * 16_000);
    const heard = await windows(kit, speech, 1600);
    expect(heard).toHaveLength(Math.floor(speech.length / 512));
    // From 0.9 to 3.9 s a clip is read; the words begin a little later.
    const between = (from: number, to: number) => heard.slice(Math.ceil(from / 0.032), Math.floor(to / 0.032));
    expect(Math.max(...between(0, 0.8))).toBeLessThan(0.3);
    const spoken = between(1.3, 3.5);
    expect(spoken.filter((speech) => speech > 0.5).length / spoken.length).toBeGreaterThan(0.8);
    expect(Math.max(...(await windows(kit, noise(3, { level: 0.05 }), 1600)))).toBeLessThan(0.3);
    expect(Math.max(...(await windows(kit, new Float32Array(16_000), 1600)))).toBeLessThan(0.3);
    for (const block of [320, 701, 16_000]) expect(await windows(kit, speech, block)).toEqual(heard);
  },
  PATIENCE_MS,
);

testHere(
  "a call that takes too long does not end the process, a hundred times, and calls in between succeed",
  async () => {
    await using kit = await testPool({ model: path, workers: 2, inferenceTimeoutMs: TIMEOUT_MS });
    let succeeded = 0;
    while (kit.deaths("timeout") < 100) {
      const lane = kit.lane();
      for (const seconds of [5, 0.04]) {
        const outcome = await kit.submit(lane, new Float32Array(16_000 * seconds), { step: "start" });
        if (outcome.status === "ok") succeeded++;
      }
      lane.close();
      await kit.until(() => kit.pool.unavailable === undefined && kit.arena.used < 24);
    }
    await kit.until(() => kit.pool.load.workersAbandoned === 0);
    expect(succeeded).toBeGreaterThan(0);
    expect([kit.arena.used, kit.crashes]).toEqual([0, 0]);
  },
  3 * PATIENCE_MS,
);

testHere(
  "the executable serves it, with its packages from its own folder",
  async () => {
    await using executable = await Executable.create();
    const server = await executable.serve({ "model.workers": 2 }, ["--model", path]);
    const addr = `${server.url.replace("http", "ws")}/api/v1/stateful`;
    const { code, out } = await executable.run(["send", "-i", RECORDING, "--addr", addr, "--format", "json"]);
    expect(code).toBe(0);
    const events = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const likely = events.filter((event) => event["channel"] === 0 && Number(event["speech"]) > 0.5);
    // 10.5 of the 18 s on the left are clips of somebody reading.
    expect(likely.length * 0.1).toBeWithin(6, 12.5);
  },
  BUILD_MS + PATIENCE_MS,
);
