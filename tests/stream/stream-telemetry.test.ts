import { describe, expect, test } from "bun:test";

import { concat, encode, noise, voice } from "../support/audio.ts";
import { SessionHarness } from "../support/session-harness.ts";

const LABELS = { pattern: "segmented", model: "simulated" };

/** An utterance, and as much silence as ends it. */
const utterance = encode("s16", concat(noise(0.5), voice(1), noise(0.6)));

describe("the telemetry of a stream", () => {
  test("the time from the end of speech to the result is the silence in the audio plus the time on the clock after it", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("segmented");
    // In messages of 20 ms, so that the one that decides is known; a slab may end in the middle of it.
    let bytes = 0;
    for (; harness.pendingJobs.length === 0 && bytes < utterance.length; bytes += 640) {
      session.receive(utterance.subarray(bytes, bytes + 640));
      await harness.runDeferred();
    }
    const heard = bytes / 32_000;
    harness.now += 700;
    harness.answer();
    await harness.runDeferred();
    const { inactive, segment } = {
      inactive: connection.events.find(({ type }) => type === "inactive"),
      segment: connection.events.find(({ type }) => type === "segment"),
    };
    if (inactive?.type !== "inactive" || segment?.type !== "segment") throw new Error("no utterance");
    const { results } = harness.metrics.families;
    expect(results.speechEndToFinal.with({ model: "simulated" }).sum).toBeCloseTo(heard - inactive.time + 0.7, 1);
    expect(results.latency.with(LABELS).sum).toBeCloseTo(0.7);
    expect(results.lag.with(LABELS).sum).toBeCloseTo(heard - segment.end_time);
  });

  test("counts a result's wait for those before it", async () => {
    using harness = new SessionHarness({ "simple.block_ms": 500 });
    const { session } = harness.start("simple");
    session.receive(new Uint8Array(32_000));
    await harness.runDeferred();
    harness.now += 100;
    harness.answer(1);
    await harness.runDeferred();
    const latency = harness.metrics.families.results.latency.with({ ...LABELS, pattern: "simple" });
    expect(latency.count).toBe(0);
    harness.now += 300;
    harness.answer(0);
    await harness.runDeferred();
    expect([latency.count, latency.sum]).toEqual([2, expect.closeTo(0.8)]);
  });

  test("has no time for what failed", async () => {
    using harness = new SessionHarness({ "simple.block_ms": 500 });
    const { session } = harness.start("simple");
    session.receive(new Uint8Array(32_000));
    await harness.runDeferred();
    harness.fail(0);
    harness.answer(0);
    await harness.runDeferred();
    expect(harness.metrics.families.results.latency.with({ ...LABELS, pattern: "simple" }).count).toBe(1);
  });

  test("interims are counted as sent, late, failed, or withheld from a client that does not read", async () => {
    using harness = new SessionHarness({ "limits.outbox_bytes": 4_096 });
    const { session, connection } = harness.start("segmented", { interim_results: true, interim_interval_ms: 200 });
    const fate = (name: string): number =>
      harness.metrics.families.inference.interims.with({ model: "simulated", fate: name }).value;
    session.receive(utterance.subarray(0, 48_000));
    await harness.runDeferred();
    const waiting = harness.pendingJobs.filter(({ job }) => job.kind === "interim").length;
    expect(waiting).toBeGreaterThan(3);
    harness.answer(0);
    harness.fail(0);
    connection.buffered = 3_000;
    session.writable();
    harness.answer(0);
    connection.buffered = 0;
    session.writable();
    session.receive(utterance.subarray(48_000));
    await harness.runDeferred();
    for (const _ of Array.from({ length: waiting - 3 })) harness.answer(0);
    await harness.runDeferred();
    expect(["sent", "failed", "withheld"].map(fate)).toEqual([1, 1, 1]);
    expect(fate("late")).toBeGreaterThan(0);
  });

  test("interims that the model declines are counted as such, and are not in the ledger", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("segmented", { interim_results: true, interim_interval_ms: 200 });
    session.receive(utterance.subarray(0, 48_000));
    await harness.runDeferred();
    const interims = harness.pendingJobs.length;
    while (harness.pendingJobs.length > 0) harness.answer(0, { output: undefined });
    session.receive(JSON.stringify({ request: "stop" }));
    await harness.answerAll();
    const { interims: fates } = harness.metrics.families.inference;
    expect(fates.with({ model: "simulated", fate: "declined" }).value).toBe(interims);
    expect(connection.events.filter(({ type }) => type === "segment")).toHaveLength(1);
    expect(connection.events.at(-1)).toMatchObject({ channels: [{ interims: 0, segments: 1 }] });
  });

  test("of a pinned model counts one result for an utterance, and the interims that were sent, whatever the steps", async () => {
    using harness = new SessionHarness();
    harness.addModel("pinned", undefined, { pinned: { stepMs: 100 } });
    const fields = { model: "pinned", interim_results: true, interim_interval_ms: 500 };
    const { session, connection } = harness.start("segmented", fields);
    session.receive(utterance);
    await harness.answerAll();
    harness.now += 300;
    session.receive(utterance);
    await harness.runDeferred();
    for (let steps = 0; harness.pendingJobs[0]?.job.step !== "finish"; steps++) {
      if (steps > 20) throw new Error("the utterance does not end");
      harness.answer();
      await harness.runDeferred();
    }
    harness.now += 700;
    harness.answer();
    await harness.runDeferred();
    const { results, inference } = harness.metrics.families;
    const latency = results.latency.with({ pattern: "segmented", model: "pinned" });
    expect([latency.count, latency.sum]).toEqual([2, expect.closeTo(0.7)]);
    expect(results.speechEndToFinal.with({ model: "pinned" }).count).toBe(2);
    const sent = connection.events.filter((event) => event.type === "segment" && event.is_final === false);
    expect(sent.length).toBeGreaterThan(2);
    const fates = Object.fromEntries(
      ["sent", "late", "declined", "failed"].map((fate) => [
        fate,
        inference.interims.with({ model: "pinned", fate }).value,
      ]),
    );
    expect(fates).toEqual({ sent: sent.length, late: 0, declined: 0, failed: 0 });
  });

  test("is not idle while a step of a pinned model runs", async () => {
    using harness = new SessionHarness({ "limits.idle_timeout_ms": 1_000 });
    harness.addModel("pinned", undefined, { pinned: { stepMs: 100 } });
    const { session, connection } = harness.start("segmented", { model: "pinned" });
    session.receive(encode("s16", concat(noise(0.5), voice(0.4))));
    await harness.runDeferred();
    expect(harness.pendingJobs).toMatchObject([{ job: { step: "start" } }]);
    for (let i = 0; i < 4; i++) {
      harness.now += 500;
      session.sweep(harness.now);
    }
    expect(connection.closed).toBeUndefined();
    await harness.answerAll();
    for (let i = 0; i < 4; i++) {
      harness.now += 500;
      session.sweep(harness.now);
    }
    await harness.answerAll();
    expect(connection.events.map((event) => event.type === "error" && event.code)).toContain("idle_timeout");
  });

  test("is a trace of the client's, named in the metrics when it is recorded", async () => {
    using harness = new SessionHarness({ "simple.block_ms": 500 });
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const { session } = harness.start("simple", { trace_id: `00-${trace}-00f067aa0ba902b7-01` });
    session.receive(new Uint8Array(16_000));
    await harness.answerAll();
    const { exemplars } = harness.metrics.families.results.latency.with({ ...LABELS, pattern: "simple" });
    expect(exemplars.filter((each) => each !== undefined)).toMatchObject([{ traceId: trace, value: 0 }]);
  });
});
