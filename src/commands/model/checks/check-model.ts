import type { Finding, Report } from "./findings.ts";
import { checkPieces } from "./pieces.ts";
import { speechLike } from "./signals.ts";
import { checkStreams } from "./streams.ts";
import { Bench, type BenchOptions, GivenUp } from "./trial.ts";

export type { Finding, Verdict } from "./findings.ts";

export interface CheckOptions extends BenchOptions {
  /** A recording at the model's sample rate, a second or longer; by default something like speech. */
  readonly speech?: (sampleRate: number) => Promise<Float32Array>;
}

const SPEECH_SECONDS = 3;

/** The contract suite of a model: loads it into workers as a server would, tries it, and tells each finding as it is made. A
 *  model that hangs or crashes costs its worker, not the caller. */
export async function checkModel(options: CheckOptions, tell: (finding: Finding) => void): Promise<void> {
  const report: Report = (verdict, what, words) => tell({ verdict, what, words });
  await using bench = new Bench(options);
  try {
    await bench.pool.ready;
  } catch (error) {
    return report("FAIL", "loads", error instanceof Error ? error.message : String(error));
  }
  const { name, sampleRate, stateful, loadMs } = bench.pool.info;
  const kind = stateful ? "with state" : "without state";
  report("ok", "loads", `and is warm in ${Math.round(loadMs)} ms: "${name}", ${sampleRate} Hz, ${kind}`);
  const speech = await (options.speech?.(sampleRate) ?? speechLike(sampleRate, SPEECH_SECONDS));
  try {
    await (stateful ? checkStreams : checkPieces)(bench, speech, report);
  } catch (error) {
    if (!(error instanceof GivenUp)) throw error;
    report("FAIL", "given up", error.message);
  }
}
