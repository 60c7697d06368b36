import { describe, expect, test } from "bun:test";

import { Histogram } from "../../../src/telemetry/metrics/histogram.ts";
import { Count } from "../../../src/telemetry/metrics/instruments.ts";
import { ACTIVITIES, type Activity, MainThread, type StageSeries } from "../../../src/telemetry/metrics/main-thread.ts";

/** A main thread whose time the test makes. */
class Thread {
  now = 0;
  readonly counts = new Map(ACTIVITIES.map((activity): [Activity, Count] => [activity, new Count()]));
  readonly decode: StageSeries = { processing: new Count(), media: new Count(), factor: new Histogram([1]) };
  readonly vad: StageSeries = { processing: new Count(), media: new Count(), factor: new Histogram([1]) };
  readonly thread = new MainThread({ seconds: this.counts, stages: { decode: this.decode, vad: this.vad } }, () => {
    this.looks += 1;
    return this.now;
  });
  readonly blocked: [string, number][] = [];
  looks = 0;

  constructor() {
    this.thread.onBlocked = (activity, ms) => this.blocked.push([activity, ms]);
  }

  seconds(activity: Activity): number {
    return this.counts.get(activity)?.value ?? NaN;
  }

  /** A message whose decoding and listening take so long. */
  message(bytes: number, decodeMs: number, vadMs: number, audioSeconds: number): void {
    this.thread.enterMessage(bytes);
    const outer = this.thread.enter("decode");
    this.now += decodeMs;
    this.thread.leave(outer);
    this.thread.decoded(audioSeconds, 1);
    const listening = this.thread.enter("vad");
    this.now += vadMs;
    this.thread.leave(listening);
    this.thread.leave(undefined);
  }
}

describe("the main thread's time", () => {
  test("is counted for what is innermost, and once", () => {
    const it = new Thread();
    const none = it.thread.enter("result");
    it.now += 10;
    const outer = it.thread.enter("send");
    it.now += 5;
    it.thread.leave(outer);
    it.now += 1;
    it.thread.leave(none);
    expect(it.seconds("result")).toBeCloseTo(0.011);
    expect(it.seconds("send")).toBeCloseTo(0.005);
  });

  test("of many small messages is estimated from few looks at the clock", () => {
    const it = new Thread();
    const messages = 32_000;
    for (let i = 0; i < messages; i++) it.message(3_200, 2, 1, 0.1);
    expect(it.decode.processing.value).toBeWithin(messages * 0.0016, messages * 0.0024);
    expect(it.decode.processing.value / it.decode.media.value).toBeCloseTo(0.02);
    expect(it.vad.processing.value / it.vad.media.value).toBeCloseTo(0.01);
    expect(it.seconds("decode")).toBeCloseTo(it.decode.processing.value);
    expect(it.looks).toBeLessThan(messages);
    expect(it.thread.streamSeconds).toBeCloseTo(messages / 10);
  });

  test("of large messages is measured", () => {
    const it = new Thread();
    it.message(1_000_000, 20, 10, 30);
    expect(it.decode.processing.value).toBeCloseTo(0.02);
    expect(it.decode.media.value).toBe(30);
    expect(it.decode.factor.count).toBe(1);
  });

  test("is told of when one thing takes too long, by what took longest of it", () => {
    const it = new Thread();
    it.message(1_000_000, 20, 45, 30);
    it.message(1_000_000, 20, 5, 30);
    expect(it.blocked).toEqual([["vad", 65]]);
  });

  test("is right again after something has thrown in the middle", () => {
    const it = new Thread();
    it.thread.enterMessage(1_000_000);
    it.thread.enter("decode");
    it.thread.leave(undefined);
    const none = it.thread.enter("sweep");
    it.now += 3;
    it.thread.leave(none);
    expect(it.seconds("sweep")).toBeCloseTo(0.003);
  });
});
