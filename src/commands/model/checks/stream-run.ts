import type { ModelHarness } from "./model-harness.ts";
import { compareResults, type Result } from "./result.ts";
import type { Similarity } from "./similarity.ts";

/** The results of a model with state for one stream. */
export interface StreamRun {
  /** One result for each block. */
  readonly blocks: readonly Result[];
  /** The result of `finish`. */
  readonly end: Result;
  /** The state after each block. */
  readonly states: readonly unknown[];
  /** The real-time factor of each block. */
  readonly factors: readonly number[];
}

/** The place in a stream where a model failed, and how. */
export interface StreamFailure {
  readonly failure: string;
}

/** Runs one stream through the model, in blocks of `blockSamples` samples. */
export async function runStream(
  harness: ModelHarness,
  samples: Float32Array,
  blockSamples: number,
): Promise<StreamRun | StreamFailure> {
  const lane = harness.openLane();
  const nothing = new Float32Array(0);
  const started = await harness.call(lane, nothing, { step: "start" });
  if (started.status !== "ok") return { failure: `start: ${harness.describeFailure(started)}` };
  const blocks: Result[] = [];
  const factors: number[] = [];
  let { state } = started;
  for (let position = 0; position < samples.length; position += blockSamples) {
    const block = samples.subarray(position, position + blockSamples);
    const outcome = await harness.call(lane, block, { step: "step", state });
    if (outcome.status !== "ok") return { failure: `block ${blocks.length}: ${harness.describeFailure(outcome)}` };
    blocks.push(outcome);
    factors.push((outcome.inferMs / 1000) * (harness.pool.sampleRate / block.length));
    ({ state } = outcome);
  }
  const end = await harness.call(lane, nothing, { step: "finish", state });
  if (end.status !== "ok") return { failure: `finish: ${harness.describeFailure(end)}` };
  lane.close();
  return { blocks, end, states: blocks.map((block) => block.state), factors };
}

/** Compares the results of two streams. */
export function compareRuns(a: StreamRun, b: StreamRun): Similarity {
  return compareResults([...a.blocks, a.end], [...b.blocks, b.end]);
}

/** Returns the audio of all results of a stream. */
export function audioOf({ blocks, end }: StreamRun): number[] {
  return [...blocks, end].flatMap(({ audio }) => [...(audio?.samples ?? [])]);
}
