import { describe, expect, test } from "bun:test";

import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

const LABELS = { pattern: "simple", model: "m" };
const AUDIO = { received: 10, inferred: 4, silent: 3, failed: 1, unanswered: 2 };

describe("the metrics of streams", () => {
  test("add the audio of open streams to that of ended ones", () => {
    const metrics = new ServerMetrics();
    const { streams, audio } = metrics.families;
    const simple = metrics.stream("simple", "m");
    const [first, second] = [
      { channelCount: 1, audio: AUDIO },
      { channelCount: 2, audio: { ...AUDIO, received: 20 } },
    ];
    simple.started(first);
    simple.started(second);
    simple.stopped(first, "stop");
    metrics.registry.collect();
    expect(audio.received.with(LABELS).value).toBe(30);
    expect(audio.inferred.with(LABELS).value).toBe(8);
    expect(audio.silent.with(LABELS).value).toBe(6);
    expect(audio.failed.with(LABELS).value).toBe(2);
    expect(audio.unanswered.with(LABELS).value).toBe(2);
    expect(streams.active.with(LABELS).value).toBe(1);
    expect(streams.channelsActive.with(LABELS).value).toBe(2);
    expect(streams.channelsStarted.with(LABELS).value).toBe(3);
  });

  test("count the end of a stream once", () => {
    const metrics = new ServerMetrics();
    const simple = metrics.stream("simple", "m");
    const stream = { channelCount: 1, audio: AUDIO };
    simple.started(stream);
    for (const reason of ["error", "stop"]) simple.stopped(stream, reason);
    metrics.registry.collect();
    const { streams, audio } = metrics.families;
    expect(streams.stopped.samples()).toEqual([{ labels: { ...LABELS, reason: "error" }, value: 1 }]);
    expect(audio.received.with(LABELS).value).toBe(10);
  });

  test("have the time since the end of speech only for a result with speech", () => {
    const metrics = new ServerMetrics();
    const { latency, lag, speechEndToFinal } = metrics.families.results;
    const simple = metrics.stream("simple", "m");
    simple.finalSent(250, 2, undefined, undefined);
    simple.finalSent(500, 4, 1_000, undefined);
    expect([latency.with(LABELS).count, latency.with(LABELS).sum]).toEqual([2, 0.75]);
    expect(lag.with(LABELS).sum).toBe(6);
    const sinceSpeech = speechEndToFinal.with({ model: "m" });
    expect([sinceSpeech.count, sinceSpeech.sum]).toEqual([1, 1]);
  });
});
