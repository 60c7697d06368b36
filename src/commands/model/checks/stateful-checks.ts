import { serialize } from "node:v8";

import type { Outcome } from "../../../model/job.ts";
import { EncodedState } from "../../../pool/encoded-state.ts";
import type { ReportFinding } from "./finding.ts";
import type { ModelHarness } from "./model-harness.ts";
import { compareResults, describeResult, hasContent, type Result } from "./result.ts";
import { edgeCases } from "./signals.ts";
import { compareValues } from "./similarity.ts";
import { audioOf, compareRuns, runStream, type StreamRun } from "./stream-run.ts";
import { reportTiming } from "./timing.ts";
import { isRecogniser, reportWords } from "./words.ts";

/** The default of `stateful.block_ms`. */
const BLOCK_SECONDS = 0.1;
const OTHER_BLOCK_SECONDS = 0.037;
const LARGE_STATE_BYTES = 64 * 1024;

/** Checks a model with state. `speech` is at the model's sample rate, one second or longer. */
export async function checkStateful(harness: ModelHarness, speech: Float32Array, report: ReportFinding): Promise<void> {
  const block = Math.round(BLOCK_SECONDS * harness.pool.sampleRate);
  const first = await runStream(harness, speech, block);
  if ("failure" in first) {
    report("FAIL", "result", `${first.failure}; the other checks cannot run`);
    return reportUncloned(harness, "FAIL", report);
  }
  reportResults(first, report);
  // The last result of a recogniser may have all that the blocks have said.
  const spoken = isRecogniser([first.end]) ? [first.end] : [...first.blocks, first.end];
  reportWords(spoken, speech.length / harness.pool.sampleRate, harness.hasRecording, report);
  reportTiming(first.factors, BLOCK_SECONDS, report);
  reportState(harness, first, report);
  reportUncloned(harness, "note", report);
  if (await checkDeterminism(harness, speech, block, first, report)) {
    await checkTwoStreams(harness, speech, block, first, report);
  }
  await checkBlockSize(harness, speech, first, report);
  await checkRepeatedStep(harness, speech, block, report);
  if (harness.pool.info.disposes) await checkDisposal(harness, speech, block, report);
  await checkEdgeCases(harness, block, report);
  await checkAfterwards(harness, speech, block, first, report);
}

function reportResults({ blocks, end }: StreamRun, report: ReportFinding): void {
  const results = blocks.filter(hasContent);
  const example = results[0] === undefined ? "" : `, the first ${describeResult(results[0])}`;
  report("ok", "result", `${results.length} of ${blocks.length} blocks of speech have a result${example}`);
  report("ok", "finish", end.output === undefined ? "no result at the end of a stream" : describeResult(end));
}

function reportState({ words }: ModelHarness, { states }: StreamRun, report: ReportFinding): void {
  const sizes = states.map((state) => (state instanceof EncodedState ? state.bytes : serialize(state)).byteLength);
  const [first = 0, last = 0, largest] = [sizes[0], sizes.at(-1), Math.max(...sizes)];
  const text = `can be ${words.copied}; at most ${largest} bytes per block`;
  if (largest > LARGE_STATE_BYTES) report("note", "state", `${text}; copying it takes time and memory: keep it small`);
  else if (last > 2 * first + 256) report("note", "state", `${text}; it grows from ${first} to ${last} bytes`);
  else report("ok", "state", text);
}

/** Reports an object of a class in the state: after the first clone it has no methods. */
function reportUncloned({ uncloned }: ModelHarness, verdict: "note" | "FAIL", report: ReportFinding): void {
  if (uncloned === undefined) return;
  const advice = "the state is cloned between calls, so methods are lost: keep plain data in it";
  report(verdict, "state", `${uncloned}; ${advice}`);
}

/** Runs the same stream again. Returns false if the results differ. */
async function checkDeterminism(
  harness: ModelHarness,
  speech: Float32Array,
  block: number,
  first: StreamRun,
  report: ReportFinding,
): Promise<boolean> {
  const again = await runStream(harness, speech, block);
  if ("failure" in again) {
    report("FAIL", "deterministic", `repeated stream: ${again.failure}`);
    return false;
  }
  const similarity = compareRuns(first, again);
  if (similarity === "different") {
    const advice = "draw random numbers from a seed in the state, and keep no stream data in the instance";
    report("note", "deterministic", `no: the same stream gives different results; ${advice}`);
    return false;
  }
  const rounding = similarity === "close" ? ", up to rounding" : "";
  report("ok", "deterministic", `the same stream gives the same results${rounding}`);
  return true;
}

/** Runs two streams at the same time. */
async function checkTwoStreams(
  harness: ModelHarness,
  speech: Float32Array,
  block: number,
  first: StreamRun,
  report: ReportFinding,
): Promise<void> {
  const [run, other] = await Promise.all([
    runStream(harness, speech, block),
    runStream(harness, speech.toReversed(), block),
  ]);
  if ("failure" in run) return report("FAIL", "two streams", run.failure);
  if ("failure" in other) return report("FAIL", "two streams", other.failure);
  if (compareRuns(first, run) !== "different") return report("ok", "two streams", "do not affect each other");
  const advice = "keep stream data in the state, not in the instance";
  report("FAIL", "two streams", `a second stream changes the results of the first: ${advice}`);
}

/** Runs the stream in other blocks. A server uses one block size, so a difference is a note. */
async function checkBlockSize(
  harness: ModelHarness,
  speech: Float32Array,
  first: StreamRun,
  report: ReportFinding,
): Promise<void> {
  const blockMs = OTHER_BLOCK_SECONDS * 1000;
  const other = await runStream(harness, speech, Math.round(OTHER_BLOCK_SECONDS * harness.pool.sampleRate));
  if ("failure" in other) return report("FAIL", "block size", `blocks of ${blockMs} ms: ${other.failure}`);
  const audio = audioOf(first);
  const [what, similarity] =
    audio.length > 0
      ? (["the audio", compareValues(audio, audioOf(other))] as const)
      : (["the last result", compareResults([first.end], [other.end])] as const);
  if (similarity === "different") {
    return report("note", "block size", `${what} depends on stateful.block_ms (100 and ${blockMs} ms differ)`);
  }
  report("ok", "block size", `${what} does not depend on it${similarity === "close" ? ", up to rounding" : ""}`);
}

/**
 * Repeats the second step of a stream from the same state, as a server does after a crash if the model is idempotent.
 * Not for states that are released: one call may use them up.
 */
async function checkRepeatedStep(
  harness: ModelHarness,
  speech: Float32Array,
  block: number,
  report: ReportFinding,
): Promise<void> {
  const { idempotent, disposes } = harness.pool.info;
  if (speech.length < 2 * block || (disposes && !idempotent)) return;
  const lane = harness.openLane();
  const first = await harness.call(lane, speech.subarray(0, block), { step: "start" });
  const repeat = async (): Promise<Outcome> => {
    const state = first.status === "ok" ? first.state : undefined;
    return await harness.call(lane, speech.subarray(block, 2 * block), { step: "step", state });
  };
  const [result, again] = [await repeat(), await repeat()];
  lane.close();
  for (const outcome of [first, result, again]) {
    if (outcome.status !== "ok") return report("FAIL", "repeated step", harness.describeFailure(outcome));
  }
  const same = compareResults([result as Result], [again as Result]) !== "different";
  if (same && !idempotent) {
    const advice = `with \`${harness.words.idempotent}\`, a server repeats a step if its worker dies`;
    report("note", "idempotent", `not declared, but a repeated step gives the same result: ${advice}`);
  } else if (same) report("ok", "idempotent", "a repeated step gives the same result");
  else if (idempotent) report("FAIL", "idempotent", "declared, but a repeated step gives another result");
  else report("ok", "repeated step", "a step from an earlier state gives a result");
}

/** Ends a stream without `finish`, as a client does that disconnects. */
async function checkDisposal(
  harness: ModelHarness,
  speech: Float32Array,
  block: number,
  report: ReportFinding,
): Promise<void> {
  const lane = harness.openLane();
  const first = await harness.call(lane, speech.subarray(0, block), { step: "start" });
  if (first.status !== "ok") return report("FAIL", "dispose", `start: ${harness.describeFailure(first)}`);
  const outcome = await harness.call(lane, new Float32Array(0), { step: "dispose", state: first.state });
  lane.close();
  if (outcome.status === "ok") report("ok", "dispose", "gets the state of a stream that ends without finish");
  else report("FAIL", "dispose", harness.describeFailure(outcome));
}

async function checkEdgeCases(harness: ModelHarness, block: number, report: ReportFinding): Promise<void> {
  for (const { name, samples, reason } of edgeCases(harness.pool.sampleRate)) {
    const run = await runStream(harness, samples, block);
    if ("failure" in run) report("FAIL", name, `${run.failure}; ${reason}`);
    else report("ok", name, `${run.blocks.length} ${run.blocks.length === 1 ? "block" : "blocks"} and finish`);
  }
  const run = await runStream(harness, new Float32Array(0), block);
  if ("failure" in run) report("FAIL", "no audio", `${run.failure}; a client may stop before it sends any audio`);
  else report("ok", "no audio", "start and finish");
}

/** Runs the first stream again after all other checks. */
async function checkAfterwards(
  harness: ModelHarness,
  speech: Float32Array,
  block: number,
  first: StreamRun,
  report: ReportFinding,
): Promise<void> {
  const run = await runStream(harness, speech, block);
  if ("failure" in run) report("FAIL", "afterwards", run.failure);
  else if (compareRuns(first, run) === "different") {
    report("note", "afterwards", "other results than at the start");
  } else report("ok", "afterwards", "the same results as at the start");
}
