import { checkConcurrency } from "./concurrency-check.ts";
import type { ReportFinding } from "./finding.ts";
import type { ModelHarness } from "./model-harness.ts";
import { compareResults, describeResult, hasContent, type Result } from "./result.ts";
import { edgeCases, loudest, speechLike } from "./signals.ts";
import type { Similarity } from "./similarity.ts";
import { reportTiming } from "./timing.ts";
import { isRecogniser, reportWords } from "./words.ts";

const TIMED_CALLS = 20;
/** No more calls are timed after this time in the model. */
const MAX_TIMED_MS = 5_000;
const MAX_BATCH = 8;

/** Checks a model without state. `speech` is at the model's sample rate, one second or longer. */
export async function checkStateless(
  harness: ModelHarness,
  speech: Float32Array,
  report: ReportFinding,
): Promise<void> {
  const { sampleRate } = harness.pool;
  const second = harness.hasRecording ? loudest(speech, sampleRate) : speech.subarray(0, sampleRate);
  const first = await checkResult(harness, second, report);
  if (first === undefined) return;
  await checkWords(harness, first, speech, report);
  await checkTime(harness, speech, report);
  await checkDeterminism(harness, second, first, report);
  if (harness.pool.info.maxBatch > 1) await checkBatch(harness, report);
  if ((harness.pool.info.concurrency ?? 1) > 1) await checkConcurrency(harness, report);
  await checkInterim(harness, second, report);
  await checkEdgeCases(harness, report);
  await checkAfterwards(harness, second, first, report);
}

async function checkResult(
  harness: ModelHarness,
  second: Float32Array,
  report: ReportFinding,
): Promise<Result | undefined> {
  const outcome = await harness.call(harness.openLane(), second);
  if (outcome.status !== "ok") {
    report("FAIL", "result", `${harness.describeFailure(outcome)}; the other checks cannot run`);
    return undefined;
  }
  report("ok", "result", `${describeResult(outcome)} for one second of speech`);
  return outcome;
}

/** Calls a recogniser with all of the speech. */
async function checkWords(
  harness: ModelHarness,
  first: Result,
  speech: Float32Array,
  report: ReportFinding,
): Promise<void> {
  if (!isRecogniser([first])) return;
  const outcome = await harness.call(harness.openLane(), speech);
  if (outcome.status !== "ok") return report("FAIL", "words", `all of the speech: ${harness.describeFailure(outcome)}`);
  reportWords([outcome], speech.length / harness.pool.sampleRate, harness.hasRecording, report);
}

/** Times calls with one second of speech each, from different places of `speech`. */
async function checkTime(harness: ModelHarness, speech: Float32Array, report: ReportFinding): Promise<void> {
  const { sampleRate } = harness.pool;
  const factors: number[] = [];
  let spentMs = 0;
  for (let i = 0; i < TIMED_CALLS && spentMs < MAX_TIMED_MS; i++) {
    const start = Math.floor(((i * 0.37) % 1) * (speech.length - sampleRate));
    const outcome = await harness.call(harness.openLane(), speech.subarray(start, start + sampleRate));
    if (outcome.status !== "ok") {
      return report("FAIL", "time", `${harness.describeFailure(outcome)}, after ${i} calls`);
    }
    factors.push(outcome.inferMs / 1000);
    spentMs += outcome.inferMs;
  }
  reportTiming(factors, 1, report);
}

/** Repeats the first call three times, once after other audio. */
async function checkDeterminism(
  harness: ModelHarness,
  second: Float32Array,
  first: Result,
  report: ReportFinding,
): Promise<void> {
  const { sampleRate, info } = harness.pool;
  const found = new Set<Similarity>();
  for (const samples of [second, second, speechLike(sampleRate, 0.5, 9), second]) {
    const outcome = await harness.call(harness.openLane(), samples);
    if (outcome.status !== "ok") {
      return report("FAIL", "deterministic", `repeated call: ${harness.describeFailure(outcome)}`);
    }
    if (samples === second) found.add(compareResults([first], [outcome]));
  }
  if (found.has("different")) {
    const advice = "a model that keeps data from call to call should be a stateful model";
    return report("note", "deterministic", `no: the same audio gives different results; ${advice}`);
  }
  if (found.has("close"))
    report("note", "deterministic", "up to rounding: the same audio gives almost the same result");
  else report("ok", "deterministic", "the same audio gives the same result");
  if (!info.idempotent) {
    const advice = `with \`${harness.words.idempotent}\`, a server repeats a call if its worker dies`;
    report("note", "idempotent", `not declared, but results repeat: ${advice}`);
  }
}

/** Compares the results of a batch with those of single calls. */
async function checkBatch(harness: ModelHarness, report: ReportFinding): Promise<void> {
  const { sampleRate, info } = harness.pool;
  if (!info.idempotent) {
    const advice = `with \`${harness.words.idempotent}\`, its pieces are called one by one instead`;
    report("note", "failed batch", `an error in a batch fails the pieces of all clients in it; ${advice}`);
  }
  const size = Math.min(info.maxBatch, MAX_BATCH);
  const pieces = Array.from({ length: size }, (_, i) => speechLike(sampleRate, 0.5 + 0.1 * i, 10 + i));
  const single: Result[] = [];
  for (const piece of pieces) {
    const outcome = await harness.call(harness.openLane(), piece);
    if (outcome.status !== "ok") return report("FAIL", "batch", `single call: ${harness.describeFailure(outcome)}`);
    single.push(outcome);
  }
  const outcomes = await Promise.all(pieces.map((piece) => harness.call(harness.openLane(), piece)));
  let least: Similarity = "equal";
  let [largest, batchMs] = [1, 0];
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status !== "ok") {
      return report("FAIL", "batch", `batch of ${size}: ${harness.describeFailure(outcome)}`);
    }
    const similarity = compareResults([single[i]!], [outcome]);
    if (similarity === "different") {
      const [batched, alone] = [describeResult(outcome), describeResult(single[i]!)];
      const results = `${batched} in a batch of ${outcome.batchSize}, ${alone} alone`;
      return report("FAIL", "batch", `piece ${i} has another result in a batch: ${results}`);
    }
    if (similarity === "close") least = similarity;
    if (outcome.batchSize > largest) [largest, batchMs] = [outcome.batchSize, outcome.inferMs];
  }
  const ratio = batchMs / (single.reduce((sum, { inferMs }) => sum + inferMs, 0) / size || 1);
  const results = `results are ${least === "equal" ? "equal" : "equal up to rounding"}`;
  report(
    "ok",
    "batch",
    `${results}; a batch of ${largest} takes as long as ${Number(ratio.toPrecision(3))} single calls`,
  );
}

async function checkInterim(harness: ModelHarness, second: Float32Array, report: ReportFinding): Promise<void> {
  const piece = second.subarray(0, Math.floor(harness.pool.sampleRate / 2));
  const outcome = await harness.call(harness.openLane(), piece, { kind: "interim" });
  if (outcome.status === "ok") {
    const result = hasContent(outcome) ? describeResult(outcome) : "none: the model declines it";
    report("ok", "interim", `${result} with call.final ${harness.words.false}`);
  } else report("FAIL", "interim", `with call.final ${harness.words.false}: ${harness.describeFailure(outcome)}`);
}

async function checkEdgeCases(harness: ModelHarness, report: ReportFinding): Promise<void> {
  for (const { name, samples, reason } of edgeCases(harness.pool.sampleRate)) {
    const outcome = await harness.call(harness.openLane(), samples);
    if (outcome.status === "ok") report("ok", name, describeResult(outcome));
    else report("FAIL", name, `${harness.describeFailure(outcome)}; ${reason}`);
  }
  const outcome = await harness.call(harness.openLane(), new Float32Array(0));
  if (outcome.status === "ok") report("ok", "no audio", describeResult(outcome));
  else report("note", "no audio", `${harness.describeFailure(outcome)}; a server never sends this`);
}

/** Repeats the first call after all other checks. */
async function checkAfterwards(
  harness: ModelHarness,
  second: Float32Array,
  first: Result,
  report: ReportFinding,
): Promise<void> {
  const outcome = await harness.call(harness.openLane(), second);
  if (outcome.status !== "ok") report("FAIL", "afterwards", harness.describeFailure(outcome));
  else if (compareResults([first], [outcome]) === "different") {
    report("note", "afterwards", `another result than at the start: ${describeResult(outcome)}`);
  } else report("ok", "afterwards", "the same result as at the start");
}
