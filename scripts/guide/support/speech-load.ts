// Streams of real speech in real time, with the load generator of `streamer bench`, against the simulated model.

import { runPlan } from "../../../src/commands/bench/parts.ts";
import { ServerProcess } from "../../bench/support/server-process.ts";
import { speechPlan, type SpeechRun } from "../../bench/support/speech-plan.ts";
import { quantile } from "../../bench/support/statistics.ts";

/** Two workers; a call takes 40 ms and 20 ms for each second of its audio. */
const MODEL = ["model.workers=2", "model.delay=0.04", "model.constant_factor=0.02", "model.jitter=0"];
/** Settings with which no stream is refused for want of workers. */
export const NO_ADMISSION = ["limits.admission.load=1000", "limits.admission.wait_ms=3600000"];

export interface SpeechResult {
  readonly admitted: number;
  readonly results_per_second: number;
  /** Milliseconds from the message with the deciding sample to the final result. */
  readonly p50_ms: number;
  readonly p99_ms: number;
}

/** Serves the model for one run. */
export async function measureSpeech(
  executable: string,
  settings: readonly string[],
  run: Omit<SpeechRun, "addr">,
): Promise<SpeechResult> {
  const sets = [...MODEL, ...settings].flatMap((each) => ["--set", each]);
  await using server = await ServerProcess.start([executable, "serve", "--port", "0", ...sets]);
  const plan = speechPlan({ addr: `ws://${server.host}/api/v1/segmented`, ...run });
  const { tally } = await runPlan(plan, [executable], {});
  return {
    admitted: tally.admitted,
    results_per_second: rounded(tally.finals.length / run.seconds),
    p50_ms: rounded(quantile(tally.finals, 0.5)),
    p99_ms: rounded(quantile(tally.finals, 0.99)),
  };
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
