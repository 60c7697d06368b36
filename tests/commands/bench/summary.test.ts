import { describe, expect, test } from "bun:test";

import { percentiles, summarise, type Thresholds, violations } from "../../../src/commands/bench/summary.ts";
import { count, Tally } from "../../../src/commands/bench/tally.ts";

const NONE = { cpuSeconds: undefined, rssBytes: undefined };
const LOOSE: Thresholds = { p50: undefined, p99: undefined, maxRefused: 0, maxErrors: 0 };

function tally(values: Partial<Tally> = {}): Tally {
  return Object.assign(new Tally(), {
    offered: 2,
    admitted: 2,
    stopped: 2,
    messages: 100,
    finals: [1, 2, 3],
    ...values,
  });
}

function summaryOf(values: Partial<Tally> = {}, busiest = 0.1) {
  return summarise({ tally: tally(values), generator: { cores: busiest, busiest }, open: 2, countedMs: 10_000 }, NONE);
}

describe("percentiles", () => {
  test("are nearest ranks", () => {
    const values = Array.from({ length: 200 }, (_, i) => 200 - i);
    expect(percentiles(values)).toEqual({ count: 200, p50: 100, p90: 180, p99: 198, max: 200 });
    expect(percentiles([7])).toEqual({ count: 1, p50: 7, p90: 7, p99: 7, max: 7 });
  });

  test("of nothing are null", () => {
    expect(percentiles([])).toBeNull();
  });
});

describe("tallies of several processes", () => {
  test("are added; the worst of each is kept", () => {
    const sum = tally({ errors: { a: 1 }, maxLateMs: 5, maxHeldMs: 1, late: 2 });
    sum.add(
      JSON.parse(JSON.stringify(tally({ errors: { a: 2, b: 1 }, maxLateMs: 3, maxHeldMs: 4, late: 1 }))) as Tally,
    );
    expect(sum).toMatchObject({ offered: 4, errors: { a: 3, b: 1 }, finals: [1, 2, 3, 1, 2, 3] });
    expect(sum).toMatchObject({ maxLateMs: 5, maxHeldMs: 4, late: 3 });
  });

  test("have a limited number of names", () => {
    const counts = {};
    for (let i = 0; i < 1_000; i++) count(counts, `name ${i}`);
    expect(Object.keys(counts)).toHaveLength(21);
    expect(counts).toMatchObject({ "name 0": 1, others: 980 });
  });
});

describe("a summary", () => {
  test("has the server's processor time for each message counted", () => {
    const load = { tally: tally(), generator: { cores: 0, busiest: 0 }, open: 2, countedMs: 10_000 };
    expect(summarise(load, { cpuSeconds: 0.005, rssBytes: 1_000 }).server).toEqual({
      cores: 0.001,
      cpu_us_per_message: 50,
      rss_bytes: 1_000,
    });
  });

  test("says that the generator was the limit when it was busy or late", () => {
    expect(summaryOf().generator_limited).toBeFalse();
    expect(summaryOf({}, 0.95).generator_limited).toBeTrue();
    expect(summaryOf({ late: 1 }).generator_limited).toBeTrue();
  });
});

describe("a run fails", () => {
  test("for nothing when all is well", () => {
    expect(violations(summaryOf(), { ...LOOSE, p50: 2, p99: 3 })).toEqual([]);
  });

  test.each<[string, Partial<Tally>, Partial<Thresholds>, string]>([
    ["a slow median", {}, { p50: 1.5 }, "final p50: found 2 ms; allowed: 1.5 ms"],
    ["slow results", {}, { p99: 2.5 }, "final p99: found 3 ms; allowed: 2.5 ms"],
    ["no results", { finals: [] }, { p99: 100 }, "final p99: no final results; allowed: 100 ms"],
    ["refusals", { refusals: { "HTTP 503": 3 } }, { maxRefused: 2 }, "refused streams: found 3; allowed: 2"],
    ["errors", { errors: { overloaded: 1, inference_failed: 1 } }, { maxErrors: 1 }, "errors: found 2; allowed: 1"],
    ["no streams", { admitted: 0, stopped: 0 }, {}, "no stream was admitted"],
    ["lost streams", { stopped: 1 }, {}, "1 admitted streams did not end with stopped"],
    ["missing audio", { missing: 5 }, {}, "5 frames are missing from the ledgers"],
    ["a broken ledger", { problems: { "a difference": 2 } }, {}, "a difference (2 times)"],
  ])("for %s", (_, values, thresholds, expected) => {
    expect(violations(summaryOf(values), { ...LOOSE, ...thresholds })).toEqual([expected]);
  });
});
