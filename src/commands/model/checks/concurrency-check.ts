import type { ReportFinding } from "./finding.ts";
import type { ModelHarness } from "./model-harness.ts";
import { compareResults, describeResult, type Result } from "./result.ts";
import { speechLike } from "./signals.ts";

const MAX_CALLS = 8;
/** Calls at once that take more than this share of the time of as many calls in turn do not wait together. */
const BLOCKING_SHARE = 0.7;
/** Shorter calls say nothing: handing them over takes as long. */
const LEAST_CALL_MS = 2;

/** Compares calls at once with calls in turn, for a model that declares how many it takes. */
export async function checkConcurrency(harness: ModelHarness, report: ReportFinding): Promise<void> {
  const { sampleRate, info } = harness.pool;
  const count = Math.min(info.concurrency ?? 1, MAX_CALLS);
  const pieces = Array.from({ length: count }, (_, i) => speechLike(sampleRate, 0.5 + 0.1 * i, 20 + i));
  const alone: Result[] = [];
  for (const piece of pieces) {
    const outcome = await harness.call(harness.openLane(), piece);
    if (outcome.status !== "ok")
      return report("FAIL", "concurrency", `single call: ${harness.describeFailure(outcome)}`);
    alone.push(outcome);
  }
  const startedMs = performance.now();
  const outcomes = await Promise.all(pieces.map((piece) => harness.call(harness.openLane(), piece)));
  const togetherMs = performance.now() - startedMs;
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status !== "ok") {
      return report("FAIL", "concurrency", `${count} calls at once: ${harness.describeFailure(outcome)}`);
    }
    if (compareResults([alone[i]!], [outcome]) !== "different") continue;
    const results = `${describeResult(outcome)} beside others, ${describeResult(alone[i]!)} alone`;
    return report("FAIL", "concurrency", `piece ${i} has another result beside other calls: ${results}`);
  }
  const inTurnMs = alone.reduce((sum, { inferMs }) => sum + inferMs, 0);
  const times = `${count} calls at once take ${Math.round(togetherMs)} ms, in turn ${Math.round(inTurnMs)} ms`;
  if (inTurnMs < LEAST_CALL_MS * count || togetherMs < BLOCKING_SHARE * inTurnMs) {
    return report("ok", "concurrency", `${times}; the results are the same`);
  }
  const advice = "the model blocks, or what it waits for makes one call at a time; more workers help in the first case";
  report("note", "concurrency", `${times}: ${advice}`);
}
