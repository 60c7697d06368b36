import { expect, test } from "bun:test";

import { concat, noise, voice } from "../support/audio.ts";
import { example } from "../support/example-harness.ts";
import { testPool } from "../support/pool-harness.ts";
import { recorded } from "../support/recorded.ts";

const path = example("syllables", "model.ts");

test("a model has 20 lines", async () => {
  expect((await Bun.file(path).text()).trimEnd().split("\n").length).toBeLessThanOrEqual(20);
});

test("it counts four syllables a second where there are four, and none in noise and silence", async () => {
  await using kit = await testPool({ model: path, workers: 2 });
  const lane = kit.lane();
  for (const seed of [1, 2, 3]) {
    expect(await kit.submit(lane, voice(2, { seed }))).toMatchObject({ output: { syllables: 8, per_second: 4 } });
  }
  for (const still of [new Float32Array(16_000), noise(1)]) {
    expect(await kit.submit(lane, still)).toMatchObject({ output: { syllables: 0, per_second: 0 } });
  }
});

test("it hears about as many as a reader speaks, and fewer when more is asked of one", async () => {
  const line = (await recorded(0)).slice(5.3 * 16_000, 10 * 16_000);
  const count = async (rise_db: number): Promise<number> => {
    await using kit = await testPool({ model: path, settings: { rise_db } });
    const outcome = await kit.submit(kit.lane(), concat(line));
    return outcome.status === "ok" ? Number(outcome.output?.["syllables"]) : -1;
  };
  // "Unless to be rather cold hearted and rather selfish is to be ill disposed": 19.
  expect(await count(2)).toBeWithin(12, 28);
  expect(await count(8)).toBeLessThan(await count(2));
});
