import { describe, expect, test } from "bun:test";

import * as v from "valibot";

import { Simulated, simulated, simulatedSettings } from "../../../src/model/built-in/simulated.ts";

const call = { final: true, sampleRate: 16_000, startSeconds: 0, options: undefined };
const silence = new Float32Array(100);
const still = { delay: 0, constant_factor: 0, jitter: 0 };

/** The results of 200 calls. */
function history(settings: object, spawn: number, warm: boolean): string {
  const model = new Simulated(v.parse(simulatedSettings, { ...still, ...settings }), spawn);
  if (warm) model.warmUp();
  return Array.from({ length: 200 }, () => {
    try {
      return String(model.infer(silence, call).count);
    } catch (error) {
      return (error as Error).message;
    }
  }).join();
}

describe("simulated model", () => {
  test("returns the number of samples", () => {
    expect(new Simulated(v.parse(simulatedSettings, still), 0).infer(silence, call)).toEqual({ count: 100 });
  });

  test("random numbers depend only on seed, spawn and call; the warm-up draws none", () => {
    const settings = { failure_rate: 0.3, seed: 1 };
    expect(history(settings, 0, false)).toBe(history(settings, 0, true));
    expect(history(settings, 0, true)).not.toBe(history(settings, 1, true));
    expect(history(settings, 0, true)).not.toBe(history({ ...settings, seed: 2 }, 0, true));
  });

  test("fails and crashes at the configured rates", () => {
    const share = (settings: object, words: string): number =>
      Array.from({ length: 20 }, (_, spawn) => history(settings, spawn, false).split(words).length - 1).reduce(
        (sum, count) => sum + count / 4000,
        0,
      );
    // The seeds are fixed, so the result is, too.
    expect(share({ failure_rate: 0.05 }, "simulated failure")).toBeWithin(0.04, 0.06);
    expect(share({ panic_rate: 0.05 }, "simulated crash")).toBeWithin(0.04, 0.06);
    expect(share({}, "simulated")).toBe(0);
    expect(share({ failure_rate: 1 }, "simulated failure")).toBeCloseTo(1);
  });

  test("accepts the documented settings, and none", () => {
    const documented = {
      delay: 0.5,
      constant_factor: 0.3,
      jitter: 0.2,
      failure_rate: 0.01,
      panic_rate: 0.0,
      warmup_penalty: 10.0,
    };
    expect(simulated.validate?.(documented)).toEqual([]);
    expect(simulated.validate?.({})).toEqual([]);
  });

  test("reports every wrong setting at once, with the value found and the values allowed", () => {
    expect(
      simulated.validate?.({
        dely: 1,
        jitter: -1,
        failure_rate: 2,
        panic_rate: "no",
        seed: 1.5,
        delay: NaN,
        colour: 1,
      }),
    ).toEqual([
      'unknown setting "dely"; did you mean "delay"?',
      "jitter: found -1; allowed: a number from 0 to 3600",
      "failure_rate: found 2; allowed: a number from 0 to 1",
      'panic_rate: found "no"; allowed: a number from 0 to 1',
      "seed: found 1.5; allowed: a whole number",
      "delay: found NaN; allowed: a number from 0 to 3600",
      'unknown setting "colour"; allowed: delay, constant_factor, jitter, failure_rate, panic_rate, warmup_penalty, seed',
    ]);
  });
});
