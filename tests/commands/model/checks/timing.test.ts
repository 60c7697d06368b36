import { expect, test } from "bun:test";

import type { Finding } from "../../../../src/commands/model/checks/finding.ts";
import { reportTiming } from "../../../../src/commands/model/checks/timing.ts";

function timing(factors: readonly number[], seconds: number): Finding[] {
  const findings: Finding[] = [];
  reportTiming(factors, seconds, (verdict, check, text) => findings.push({ verdict, check, text }));
  return findings;
}

test("calls are reported with their duration and real-time factor", () => {
  const text = "12.3 ms per call for 1000 ms of speech: real-time factor 0.0123 (p50), 0.0568 (max)";
  expect(timing([0.012345, 0.01, 0.05678], 1)).toEqual([{ verdict: "ok", check: "time", text }]);
});

test("a model that is slower than real time gets a note, not a failure", () => {
  const text = expect.stringContaining(
    "150 ms per call for 100 ms of speech: real-time factor 1.5 (p50), 2 (max); slower than real time",
  );
  expect(timing([1.5, 2, 1], 0.1)).toEqual([{ verdict: "note", check: "time", text }]);
});
