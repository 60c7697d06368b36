import { describe, expect, test } from "bun:test";

import { htmlReport } from "../../../src/commands/bench/html-report.ts";
import { summarise } from "../../../src/commands/bench/summary.ts";
import { Tally } from "../../../src/commands/bench/tally.ts";

const WIDTH = 720;

function report(values: Partial<Tally>, title = "title"): string {
  const tally = Object.assign(new Tally(), values);
  const load = { tally, generator: { cores: 0, busiest: 0 }, open: 0, countedMs: 1_000 };
  return htmlReport(title, ["line"], summarise(load, { cpuSeconds: undefined, rssBytes: undefined }), tally);
}

/** Last place of each curve, from left to right. */
function ends(page: string): number[] {
  return [...page.matchAll(/points="[^"]* ([\d.]+),[\d.]+"/g)].map(([, x]) => Number(x));
}

/** Place of a share in the plot. */
function placeOf(page: string, share: string): number {
  return Number(new RegExp(`x="([\\d.]+)"[^>]*>${share} %<`).exec(page)?.[1]);
}

describe("the page of a run", () => {
  test("ends each curve at its slowest measurement: of ten values there is no 99th percentile", () => {
    const page = report({
      finals: Array.from({ length: 1_000 }, (_, i) => i),
      starts: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    });
    const [finals = NaN, starts = NaN] = ends(page);
    expect(finals).toBeCloseTo(placeOf(page, "99.9"), 0);
    expect(starts).toBeCloseTo(placeOf(page, "90"), 0);
  });

  test("has room for the labels of the axes, and keeps the names of the curves out of the plot", () => {
    const page = report({ finals: Array.from({ length: 10_000 }, (_, i) => i) });
    // The label is about 50 wide, and its middle is at this place.
    expect(placeOf(page, "99.99")).toBeLessThanOrEqual(WIDTH - 25);
    expect(page).toContain(">10 s</text>");
    expect(page.indexOf("after the deciding message")).toBeLessThan(page.indexOf("<svg"));
  });

  test("says so when nothing was measured", () => {
    expect(report({})).toContain("No latencies were measured");
  });

  test("shows texts as they are", () => {
    expect(report({}, "<script>")).toContain("<h1>&lt;script&gt;</h1>");
  });
});
