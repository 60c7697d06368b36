import { describe, expect, test } from "bun:test";

import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const SAMPLED = `00-${TRACE_ID}-00f067aa0ba902b7-01`;

describe("the metrics of a model", () => {
  test("have queue and compute times by kind, with the trace as an exemplar when it is sampled", () => {
    const metrics = new ServerMetrics();
    const { queueSeconds, computeSeconds, batchSize } = metrics.families.inference;
    const model = metrics.model("m");
    model.jobStarted("final", 250, SAMPLED);
    model.jobStarted("interim", 500, SAMPLED.replace(/01$/, "00"));
    model.callEnded("final", 100, 4, 2, undefined);
    const [final, interim] = [
      queueSeconds.with({ model: "m", kind: "final" }),
      queueSeconds.with({ model: "m", kind: "interim" }),
    ];
    expect([final.sum, interim.sum]).toEqual([0.25, 0.5]);
    expect(final.exemplars.map((exemplar) => exemplar?.traceId)).toContain(TRACE_ID);
    expect(interim.exemplars.filter((exemplar) => exemplar !== undefined)).toEqual([]);
    expect(computeSeconds.with({ model: "m", kind: "final" }).sum).toBe(0.1);
    expect(batchSize.with({ model: "m" }).sum).toBe(4);
  });

  test("relate the time of a call to its audio, and ignore calls without audio", () => {
    const metrics = new ServerMetrics();
    const { processingSeconds, mediaSeconds, realTimeFactor } = metrics.families.stages;
    const model = metrics.model("m");
    model.callEnded("final", 500, 1, 2, undefined);
    model.callEnded("final", 500, 1, 0, undefined);
    expect(processingSeconds.with({ stage: "inference" }).value).toBe(0.5);
    expect(mediaSeconds.with({ stage: "inference" }).value).toBe(2);
    expect(realTimeFactor.with({ stage: "inference" }).sum).toBe(0.25);
  });

  test("show the state of the pool at the time of reading", () => {
    const metrics = new ServerMetrics();
    const { workers, inference } = metrics.families;
    const load = {
      workersReady: 3,
      workersBusy: 1,
      workersAbandoned: 2,
      callsRunning: 9,
      finalsWaiting: 5,
      interimsWaiting: 7,
      spawns: 6,
    };
    metrics.model("m").observePool(4, () => load);
    metrics.registry.collect();
    const state = (name: string): number => workers.count.with({ model: "m", state: name }).value;
    expect([state("busy"), state("idle"), state("starting")]).toEqual([1, 2, 1]);
    expect(workers.starts.with({ model: "m" }).value).toBe(6);
    expect(workers.restarts.with({ model: "m" }).value).toBe(2);
    expect(inference.running.with({ model: "m" }).value).toBe(9);
    expect(inference.waiting.with({ model: "m", kind: "final" }).value).toBe(5);
    expect(inference.waiting.with({ model: "m", kind: "interim" }).value).toBe(7);
  });

  test("add up the pools of all generations, and keep what one has counted when it ends", () => {
    const metrics = new ServerMetrics();
    const { workers, inference } = metrics.families;
    const rest = { workersAbandoned: 0, callsRunning: 0, interimsWaiting: 0 };
    const earlier = { workersReady: 2, workersBusy: 1, finalsWaiting: 3, spawns: 5, ...rest };
    const newest = { workersReady: 1, workersBusy: 1, finalsWaiting: 4, spawns: 2, ...rest };
    const model = metrics.model("m");
    const observed = model.observePool(2, () => earlier);
    model.observePool(2, () => newest);
    const read = () => {
      metrics.registry.collect();
      const state = (name: string): number => workers.count.with({ model: "m", state: name }).value;
      return {
        states: [state("busy"), state("idle"), state("starting")],
        waiting: inference.waiting.with({ model: "m", kind: "final" }).value,
        counts: [workers.starts.with({ model: "m" }).value, workers.restarts.with({ model: "m" }).value],
      };
    };
    expect(read()).toEqual({ states: [2, 1, 1], waiting: 7, counts: [7, 3] });
    observed[Symbol.dispose]();
    observed[Symbol.dispose]();
    expect(read()).toEqual({ states: [1, 0, 1], waiting: 4, counts: [7, 3] });
  });
});
