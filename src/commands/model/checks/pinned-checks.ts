import type { ReportFinding } from "./finding.ts";
import type { ModelHarness } from "./model-harness.ts";
import { comparePinned, type PinnedRun, runPinned, runUtterance } from "./pinned-run.ts";
import { checkClosed } from "./pinned-streams-check.ts";
import { compareResults, describeResult, hasContent } from "./result.ts";
import { edgeCases } from "./signals.ts";
import { percentile, reportTiming, threeDigits } from "./timing.ts";
import { reportWords } from "./words.ts";

/** The default of `model.step_ms`. */
const STEP_SECONDS = 0.1;
const OTHER_STEP_SECONDS = 0.037;
/** Streams at a time in each worker, at most. */
const MAX_TOGETHER = 8;
/** Steps at the end of a long utterance may take so many times as long as those at its start, and so much longer. */
const MAX_GROWTH = 4;
const MAX_GROWTH_MS = 5;

/** What the checks of a pinned model have in common. */
interface Checked {
  readonly harness: ModelHarness;
  readonly speech: Float32Array;
  /** Samples of a step. */
  readonly step: number;
  /** The first run of `speech`. */
  readonly first: PinnedRun;
  readonly report: ReportFinding;
}

/** Checks a model whose streams stay in their worker. `speech` is at the model's sample rate, one second or longer. */
export async function checkPinned(harness: ModelHarness, speech: Float32Array, report: ReportFinding): Promise<void> {
  const step = Math.round(STEP_SECONDS * harness.pool.sampleRate);
  const first = await runPinned(harness, speech, step);
  if ("failure" in first) return report("FAIL", "result", `${first.failure}; the other checks cannot run`);
  const checked = { harness, speech, step, first, report };
  reportResults(checked);
  reportWords(first.ends, speech.length / harness.pool.sampleRate, harness.hasRecording, report);
  reportTiming(first.factors, STEP_SECONDS, report);
  reportEndpoint(checked);
  if (await checkDeterminism(checked)) {
    await checkReset(checked);
    await checkTogether(checked);
    await checkStepSize(checked);
  }
  await checkClosed(harness, speech.subarray(0, step), report);
  await checkEdgeCases(checked);
  await checkAfterwards(checked);
}

function reportResults({ harness, speech, first, report }: Checked): void {
  const { steps, ends, inferMs } = first;
  const results = steps.filter(hasContent);
  const example = results[0] === undefined ? "" : `, the first ${describeResult(results[0])}`;
  report("ok", "result", `${results.length} of ${steps.length} steps of speech have a result${example}`);
  const end = ends.at(-1)!;
  report("ok", "finish", hasContent(end) ? describeResult(end) : "no result at the end of an utterance");
  const seconds = threeDigits(speech.length / harness.pool.sampleRate);
  const text = `come with the steps: ${seconds} s of speech with ${results.length} of them took ${threeDigits(inferMs)} ms`;
  report("ok", "interims", text);
}

function reportEndpoint({ harness, first, report }: Checked): void {
  const { ends, firstEndpoint } = first;
  if (firstEndpoint === undefined) {
    return report("ok", "endpoint", "none in this speech: the pauses that the server detects end utterances");
  }
  const seconds = threeDigits(firstEndpoint / harness.pool.sampleRate);
  report("ok", "endpoint", `the model ends an utterance after ${seconds} s; ${ends.length} in all`);
}

/** Runs the same speech again in a new stream. Returns false if the results differ. */
async function checkDeterminism({ harness, speech, step, first, report }: Checked): Promise<boolean> {
  const again = await runPinned(harness, speech, step);
  if ("failure" in again) {
    report("FAIL", "deterministic", `repeated stream: ${again.failure}`);
    return false;
  }
  const similarity = comparePinned(first, again);
  if (similarity === "different") {
    const advice =
      "keep the data of a stream in the object that open() returns, and draw random numbers from a seed in it";
    report("note", "deterministic", `no: the same stream gives different results; ${advice}`);
    return false;
  }
  report("ok", "deterministic", `the same stream gives the same results${rounding(similarity)}`);
  return true;
}

/** Runs speech as the second utterance of a stream. */
async function checkReset({ harness, speech, step, first, report }: Checked): Promise<void> {
  const lane = harness.openLane();
  const before = await runUtterance(harness, lane, speech.toReversed(), step);
  const second = await runUtterance(harness, lane, speech, step);
  lane.close();
  if ("failure" in before) return report("FAIL", "reset", before.failure);
  if ("failure" in second) return report("FAIL", "reset", `the second utterance of a stream: ${second.failure}`);
  const isNew = second.steps[0]?.opened === true;
  if (comparePinned(first, second) === "different") {
    const cause = isNew
      ? "streams share data: keep it in the object that open() returns"
      : "reset() leaves some of the first";
    return report("FAIL", "reset", `the second utterance of a stream has other results than in a new stream: ${cause}`);
  }
  if (isNew) report("ok", "reset", "none: after an utterance the stream is closed, and the next one opens another");
  else report("ok", "reset", "the second utterance of a stream has the results of a new stream");
}

/** Runs streams at the same time, two or more in each worker, in turns of a step. */
async function checkTogether({ harness, speech, step, first, report }: Checked): Promise<void> {
  const { maxBatch } = harness.pool.info;
  const count = harness.pool.load.workersReady * Math.max(2, Math.min(maxBatch, MAX_TOGETHER));
  const other = speech.toReversed();
  // Of two that open one after the other, as many as there are workers get the same audio: workers take them in turns.
  const own = (i: number): boolean => Math.floor(i / harness.pool.load.workersReady) % 2 === 0;
  const runs = await Promise.all(
    Array.from({ length: count }, (_, i) => runPinned(harness, own(i) ? speech : other, step)),
  );
  for (const [i, run] of runs.entries()) {
    if ("failure" in run) return report("FAIL", "two streams", `${count} streams: ${run.failure}`);
    if (own(i) && comparePinned(first, run) === "different") {
      const advice = "keep the data of a stream in the object that open() returns";
      return report("FAIL", "two streams", `other streams change the results of one: ${advice}`);
    }
  }
  report("ok", "two streams", `${count} at a time do not affect each other`);
  if (maxBatch === 1) return;
  const largest = Math.max(
    ...runs.flatMap((run) => ("failure" in run ? [] : run.steps.map(({ batchSize }) => batchSize))),
  );
  report("ok", "batch", `steps of up to ${largest} streams shared a call, with the results of single steps`);
}

/** Runs the stream in other steps. A server uses one size but for the last step, so a difference is a note. */
async function checkStepSize({ harness, speech, first, report }: Checked): Promise<void> {
  const stepMs = OTHER_STEP_SECONDS * 1000;
  const other = await runPinned(harness, speech, Math.round(OTHER_STEP_SECONDS * harness.pool.sampleRate));
  if ("failure" in other) return report("FAIL", "step size", `steps of ${stepMs} ms: ${other.failure}`);
  const similarity = compareResults(first.ends, other.ends);
  if (similarity === "different") {
    return report("note", "step size", `final results depend on model.step_ms (100 and ${stepMs} ms differ)`);
  }
  report("ok", "step size", `final results do not depend on it${rounding(similarity)}`);
}

async function checkEdgeCases({ harness, step, report }: Checked): Promise<void> {
  for (const { name, samples, reason } of edgeCases(harness.pool.sampleRate)) {
    const run = await runPinned(harness, samples, step);
    if ("failure" in run) {
      report("FAIL", name, `${run.failure}; ${reason}`);
      continue;
    }
    const count = run.steps.length;
    const text = `${count} ${count === 1 ? "step" : "steps"} and finish`;
    const growth = growthOf(run);
    if (growth === undefined) report("ok", name, text);
    else report("note", name, `${text}; ${growth}: does each step decode the whole utterance again?`);
  }
  const run = await runPinned(harness, new Float32Array(0), step);
  if ("failure" in run) report("FAIL", "no audio", `${run.failure}; a client may stop before it sends any audio`);
  else report("ok", "no audio", "open and finish");
}

/** Describes by how much the steps of an utterance get slower; undefined: not by much. */
function growthOf({ steps }: PinnedRun): string | undefined {
  const times = steps.map(({ inferMs }) => inferMs);
  const third = Math.floor(times.length / 3);
  if (third < 10) return undefined;
  const [early, late] = [percentile(times.slice(0, third), 0.5), percentile(times.slice(-third), 0.5)];
  if (late < MAX_GROWTH * early || late < early + MAX_GROWTH_MS) return undefined;
  return `its steps get slower, from ${threeDigits(early)} to ${threeDigits(late)} ms`;
}

/** Runs the first stream again after all other checks. */
async function checkAfterwards({ harness, speech, step, first, report }: Checked): Promise<void> {
  const run = await runPinned(harness, speech, step);
  if ("failure" in run) report("FAIL", "afterwards", run.failure);
  else if (comparePinned(first, run) === "different") report("note", "afterwards", "other results than at the start");
  else report("ok", "afterwards", "the same results as at the start");
}

function rounding(similarity: "equal" | "close"): string {
  return similarity === "close" ? ", up to rounding" : "";
}
