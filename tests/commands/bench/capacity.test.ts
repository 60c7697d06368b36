import { describe, expect, test } from "bun:test";

import { CONFIRMING_ROUNDS, findCapacity, type Trial } from "../../../src/commands/bench/capacity.ts";

/** A server that carries `limit` streams; the trials that were made. */
function server(limit: (trial: number) => number, generatorLimit = Infinity) {
  const tried: number[] = [];
  const attempt = (streams: number): Promise<Trial> => {
    tried.push(streams);
    const generatorLimited = streams > generatorLimit;
    return Promise.resolve({ streams, holds: streams <= limit(tried.length) && !generatorLimited, generatorLimited });
  };
  return { tried, attempt };
}

describe("the search for the capacity", () => {
  test.each([1, 3, 49, 50, 51, 777, 12_345])("finds a capacity of %d within 5 %%, and never more", async (limit) => {
    const { tried, attempt } = server(() => limit);
    const capacity = await findCapacity(20_000, attempt);
    expect(capacity.streams).toBeLessThanOrEqual(limit);
    expect(capacity.streams).toBeGreaterThanOrEqual(Math.floor(limit * 0.95) - 1);
    expect(capacity).toMatchObject({ confirmed: CONFIRMING_ROUNDS, end: "bounds" });
    expect(capacity.failedAt).toBeGreaterThan(limit);
    expect(tried.filter((streams) => streams === capacity.streams)).toHaveLength(CONFIRMING_ROUNDS);
  });

  test("ends at the most streams that may be tried", async () => {
    const { attempt } = server(() => Infinity);
    expect(await findCapacity(130, attempt)).toEqual({
      streams: 130,
      failedAt: undefined,
      confirmed: CONFIRMING_ROUNDS,
      end: "most",
    });
  });

  test("reports that the generator was the limit", async () => {
    const { attempt } = server(() => Infinity, 300);
    const capacity = await findCapacity(20_000, attempt);
    expect(capacity.end).toBe("generator");
    expect(capacity.streams).toBeLessThanOrEqual(300);
    expect(capacity.streams).toBeGreaterThanOrEqual(284);
  });

  test("steps down when a confirming round fails", async () => {
    const { tried, attempt } = server((trial) => (trial <= 7 ? 400 : 330));
    const capacity = await findCapacity(20_000, attempt);
    expect(tried.slice(0, 4)).toEqual([50, 100, 200, 400]);
    expect(capacity.streams).toBeLessThanOrEqual(330);
    expect(capacity.confirmed).toBe(CONFIRMING_ROUNDS);
  });

  test("ends when not even one stream holds", async () => {
    const { attempt } = server(() => 0);
    expect(await findCapacity(20_000, attempt)).toMatchObject({ streams: 0, confirmed: 0 });
  });
});
