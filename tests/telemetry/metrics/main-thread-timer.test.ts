import { describe, expect, test } from "bun:test";

import type { StageInstruments } from "../../../src/telemetry/metrics/families/stages.ts";
import { Histogram } from "../../../src/telemetry/metrics/histogram.ts";
import { Counter } from "../../../src/telemetry/metrics/instruments.ts";
import {
  MAIN_THREAD_STAGES,
  type MainThreadStage,
  MainThreadTimer,
} from "../../../src/telemetry/metrics/main-thread-timer.ts";

function instruments(): StageInstruments {
  return { processingSeconds: new Counter(), mediaSeconds: new Counter(), realTimeFactor: new Histogram([1]) };
}

/** A timer whose clock the test moves. */
class TimerHarness {
  now = 0;
  clockReads = 0;
  readonly counters = new Map(MAIN_THREAD_STAGES.map((stage): [MainThreadStage, Counter] => [stage, new Counter()]));
  readonly decode = instruments();
  readonly vad = instruments();
  readonly timer = new MainThreadTimer(
    { seconds: this.counters, audioStages: { decode: this.decode, vad: this.vad } },
    () => {
      this.clockReads += 1;
      return this.now;
    },
  );

  seconds(stage: MainThreadStage): number {
    return this.counters.get(stage)?.value ?? NaN;
  }

  /** Handles a message that takes this long to decode and to search for speech. */
  message(bytes: number, decodeMs: number, vadMs: number, audioSeconds: number): void {
    this.timer.enterMessage(bytes);
    const beforeDecode = this.timer.enter("decode");
    this.now += decodeMs;
    this.timer.leave(beforeDecode);
    this.timer.decoded(audioSeconds, 1);
    const beforeVad = this.timer.enter("vad");
    this.now += vadMs;
    this.timer.leave(beforeVad);
    this.timer.leave(undefined);
  }
}

describe("main-thread time", () => {
  test("counts once, for the innermost stage", () => {
    const it = new TimerHarness();
    const none = it.timer.enter("result");
    it.now += 10;
    const outer = it.timer.enter("send");
    it.now += 5;
    it.timer.leave(outer);
    it.now += 1;
    it.timer.leave(none);
    expect(it.seconds("result")).toBeCloseTo(0.011);
    expect(it.seconds("send")).toBeCloseTo(0.005);
  });

  test("of many small messages is estimated from a sample", () => {
    const it = new TimerHarness();
    const messages = 32_000;
    for (let i = 0; i < messages; i++) it.message(3_200, 2, 1, 0.1);
    expect(it.decode.processingSeconds.value).toBeWithin(messages * 0.0016, messages * 0.0024);
    expect(it.decode.processingSeconds.value / it.decode.mediaSeconds.value).toBeCloseTo(0.02);
    expect(it.vad.processingSeconds.value / it.vad.mediaSeconds.value).toBeCloseTo(0.01);
    expect(it.seconds("decode")).toBeCloseTo(it.decode.processingSeconds.value);
    expect(it.clockReads).toBeLessThan(messages);
    expect(it.timer.decodedSeconds).toBeCloseTo(messages / 10);
  });

  test("of every large message is measured", () => {
    const it = new TimerHarness();
    it.message(1_000_000, 20, 10, 30);
    expect(it.decode.processingSeconds.value).toBeCloseTo(0.02);
    expect(it.decode.mediaSeconds.value).toBe(30);
    expect(it.decode.realTimeFactor.count).toBe(1);
  });

  test("is reported to the meter of turns by stage, a sampled message for all that it stands for", () => {
    const it = new TimerHarness();
    const spent: [string, number][] = [];
    const works: string[] = [];
    const meter = {
      work: (stage: string) => void works.push(stage),
      spent: (...each: [string, number]) => void spent.push(each),
    };
    it.timer.turns = meter;
    it.message(1_000_000, 20, 45, 30);
    it.message(3_200, 1, 2, 0.1);
    expect(works).toEqual(["receive", "receive"]);
    expect(spent).toEqual([
      ["receive", 0],
      ["decode", 20],
      ["vad", 45],
      ["receive", 0],
      ["decode", 16],
      ["vad", 32],
    ]);
  });

  test("is correct again after an exception within a stage", () => {
    const it = new TimerHarness();
    it.timer.enterMessage(1_000_000);
    it.timer.enter("decode");
    it.timer.leave(undefined);
    const none = it.timer.enter("sweep");
    it.now += 3;
    it.timer.leave(none);
    expect(it.seconds("sweep")).toBeCloseTo(0.003);
  });
});
