import { describe, expect, test } from "bun:test";

import { CapacityEstimator } from "../../../src/telemetry/metrics/capacity-estimator.ts";

const RESOURCES = { processors: 4, workers: 2 };
const IDLE = { wall: 10, mainThread: 0, processor: 0, workers: 0, audio: 0 };

describe("the estimated capacity", () => {
  test("is unknown until there has been enough audio", () => {
    const capacity = new CapacityEstimator();
    capacity.add({ ...IDLE, wall: 2, mainThread: 1, audio: 9 });
    expect(capacity.estimate(RESOURCES)).toBeUndefined();
  });

  test("is four fifths of a resource divided by the cost of a second of audio", () => {
    const capacity = new CapacityEstimator();
    // A second of audio costs 1 ms of the main thread, 2 ms of all processors and 10 ms of the workers.
    capacity.add({ wall: 10, mainThread: 1, processor: 2, workers: 10, audio: 1_000 });
    const estimate = capacity.estimate(RESOURCES);
    expect(estimate?.get("event_loop")).toBeCloseTo(800);
    expect(estimate?.get("processor")).toBeCloseTo(1_600);
    expect(estimate?.get("workers")).toBeCloseTo(160);
  });

  test("does not count usage without audio as a cost of streams", () => {
    const capacity = new CapacityEstimator();
    capacity.add({ ...IDLE, mainThread: 1, processor: 1 });
    capacity.add({ wall: 10, mainThread: 2, processor: 2, workers: 1, audio: 1_000 });
    expect(capacity.estimate(RESOURCES)?.get("event_loop")).toBeCloseTo((0.8 - 0.1) / 0.001);
  });

  test("stays when the load ends, and follows a change of the cost", () => {
    const capacity = new CapacityEstimator();
    capacity.add({ wall: 10, mainThread: 1, processor: 1, workers: 1, audio: 1_000 });
    const before = capacity.estimate(RESOURCES)?.get("event_loop");
    for (let i = 0; i < 100; i++) capacity.add(IDLE);
    expect(capacity.estimate(RESOURCES)?.get("event_loop")).toBeCloseTo(before ?? NaN);
    for (let i = 0; i < 100; i++) capacity.add({ wall: 10, mainThread: 2, processor: 1, workers: 1, audio: 1_000 });
    expect(capacity.estimate(RESOURCES)?.get("event_loop")).toBeCloseTo(400, -1);
  });

  test("leaves out an unused resource", () => {
    const capacity = new CapacityEstimator();
    capacity.add({ wall: 10, mainThread: 1, processor: 1, workers: 0, audio: 1_000 });
    expect(capacity.estimate(RESOURCES)?.has("workers")).toBe(false);
  });
});
