import { expect, test } from "bun:test";

import { liveStats } from "../../../src/telemetry/metrics/live-stats.ts";
import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

test("live numbers sum up all patterns and models", () => {
  const metrics = new ServerMetrics();
  metrics.registry.onCollect(() => {
    metrics.families.sessions.active.with({}).set(3);
    for (const [resource, streams] of Object.entries({ workers: 70.4, memory: 200, event_loop: NaN })) {
      metrics.families.server.capacity.with({ resource }).set(streams);
    }
    metrics.families.buffers.arenaUsed.with({}).set(1_024);
    metrics.families.buffers.arenaCapacity.with({}).set(4_096);
  });
  const audio = { received: 0, inferred: 0, silent: 0, failed: 0, unanswered: 0 };
  metrics.stream("simple", "a").started({ channelCount: 1, audio });
  metrics.stream("segmented", "b").started({ channelCount: 2, audio });
  for (const name of ["a", "b"]) {
    const load = {
      workersReady: 3,
      workersBusy: 1,
      workersAbandoned: 2,
      callsRunning: 0,
      finalsWaiting: 5,
      interimsWaiting: 7,
      spawns: 3,
    };
    metrics.model(name).observePool(4, () => load);
    metrics.model(name).callEnded("final", 0.4, 1, 1.0004, undefined);
  }
  metrics.families.streams.overloaded.with({ resource: "memory", stage: "start" }).add(2);
  metrics.families.streams.shed.with({}).add();
  expect(liveStats(metrics)).toEqual({
    sessions: 3,
    streams: 2,
    capacity: 70,
    overloaded: 3,
    channels: 3,
    queue: { finals: 10, interims: 14, running: 2 },
    workers: 8,
    arena: { used_bytes: 1_024, resident_bytes: 0, bytes: 4_096 },
    audio_seconds: 2.001,
    inference_seconds: 0.001,
  });
});
