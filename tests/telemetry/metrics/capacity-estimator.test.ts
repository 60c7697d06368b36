import { describe, expect, test } from "bun:test";

import { CapacityEstimator } from "../../../src/telemetry/metrics/capacity-estimator.ts";

const IDLE = { wall: 10, mainThread: 0, processor: 0, audio: 0 };

describe("the capacity of the processors", () => {
  test("is unknown until there has been enough audio", () => {
    const capacity = new CapacityEstimator();
    capacity.add({ ...IDLE, wall: 2, processor: 1, audio: 9 });
    expect(capacity.estimate(4)).toBeUndefined();
  });

  test("is four fifths of them divided by the cost of a second of audio", () => {
    const capacity = new CapacityEstimator();
    // A second of audio costs 2 ms of all processors.
    capacity.add({ ...IDLE, processor: 2, audio: 1_000 });
    expect(capacity.estimate(4)).toBeCloseTo(1_600);
  });

  test("does not count usage without audio as a cost of streams", () => {
    const capacity = new CapacityEstimator();
    capacity.add({ ...IDLE, processor: 1 });
    capacity.add({ ...IDLE, processor: 2, audio: 1_000 });
    expect(capacity.estimate(1)).toBeCloseTo((0.8 - 0.1) / 0.001);
  });

  test("stays when the load ends, and follows a change of the cost", () => {
    const capacity = new CapacityEstimator();
    capacity.add({ ...IDLE, processor: 1, audio: 1_000 });
    const before = capacity.estimate(1);
    for (let i = 0; i < 100; i++) capacity.add(IDLE);
    expect(capacity.estimate(1)).toBeCloseTo(before ?? NaN);
    for (let i = 0; i < 100; i++) capacity.add({ ...IDLE, processor: 2, audio: 1_000 });
    expect(capacity.estimate(1)).toBeCloseTo(400, -1);
  });

  test("is unknown while streams cost nothing", () => {
    const capacity = new CapacityEstimator();
    capacity.add({ ...IDLE, audio: 1_000 });
    expect(capacity.estimate(1)).toBeUndefined();
  });
});
