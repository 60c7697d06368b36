import type { Lane } from "../../../pool/lane.ts";
import type { ModelHarness } from "./model-harness.ts";
import { compareResults, type Result } from "./result.ts";
import type { Similarity } from "./similarity.ts";
import type { StreamFailure } from "./stream-run.ts";

/** The results of a pinned model for a span of speech. */
export interface PinnedRun {
  /** One result for each step. */
  readonly steps: readonly Result[];
  /** The results of `finish`: one, and one for each endpoint before it. */
  readonly ends: readonly Result[];
  /** The real-time factor of each step. */
  readonly factors: readonly number[];
  /** Time in the model, ms. */
  readonly inferMs: number;
  /** Samples up to the end of the first step that ended its utterance. */
  readonly firstEndpoint?: number;
}

/** Runs speech through a stream of its own. See `runUtterance`. */
export async function runPinned(
  harness: ModelHarness,
  samples: Float32Array,
  stepSamples: number,
): Promise<PinnedRun | StreamFailure> {
  const lane = harness.openLane();
  const run = await runUtterance(harness, lane, samples, stepSamples);
  lane.close();
  return run;
}

/**
 * Runs speech through a stream in steps of `stepSamples`, and ends the utterance. As on /segmented, an endpoint ends it,
 * too, and another follows. Times start at 0 each time, so that two runs can be compared.
 */
export async function runUtterance(
  harness: ModelHarness,
  lane: Lane,
  samples: Float32Array,
  stepSamples: number,
): Promise<PinnedRun | StreamFailure> {
  const steps: Result[] = [];
  const ends: Result[] = [];
  const factors: number[] = [];
  const endpoints: number[] = [];
  let inferMs = 0;
  let starts = true;
  const finish = async (at: number): Promise<StreamFailure | undefined> => {
    const position = { start: at, end: at, utterance: ends.length };
    const outcome = await harness.call(lane, new Float32Array(0), { step: "finish", ...position });
    if (outcome.status !== "ok") return { failure: `finish: ${harness.describeFailure(outcome)}` };
    ends.push(outcome);
    inferMs += outcome.inferMs;
    starts = true;
    return undefined;
  };
  for (let start = 0; start < samples.length; start += stepSamples) {
    const audio = samples.subarray(start, start + stepSamples);
    const end = start + audio.length;
    const step = starts ? "start" : "step";
    const outcome = await harness.call(lane, audio, { step, start, end, utterance: ends.length });
    if (outcome.status !== "ok") return { failure: `step ${steps.length}: ${harness.describeFailure(outcome)}` };
    starts = false;
    steps.push(outcome);
    factors.push((outcome.inferMs / 1000) * (harness.pool.sampleRate / audio.length));
    inferMs += outcome.inferMs;
    if (outcome.endpoint !== true) continue;
    endpoints.push(end);
    const failed = await finish(end);
    if (failed !== undefined) return failed;
  }
  if (samples.length === 0) {
    const opened = await harness.call(lane, samples, { step: "start", start: 0, end: 0, utterance: 0 });
    if (opened.status !== "ok") return { failure: `open: ${harness.describeFailure(opened)}` };
  }
  const failed = starts && ends.length > 0 ? undefined : await finish(samples.length);
  if (failed !== undefined) return failed;
  const [firstEndpoint] = endpoints;
  return { steps, ends, factors, inferMs, ...(firstEndpoint !== undefined && { firstEndpoint }) };
}

/** Compares the results of two runs. */
export function comparePinned(a: PinnedRun, b: PinnedRun): Similarity {
  return compareResults([...a.steps, ...a.ends], [...b.steps, ...b.ends]);
}
