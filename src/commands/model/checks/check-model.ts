import { messageOf } from "../../../lib/thrown.ts";
import type { ModelInfo } from "../../../model/model-info.ts";
import type { Finding, ReportFinding } from "./finding.ts";
import { ChecksAborted, ModelHarness, type ModelHarnessOptions } from "./model-harness.ts";
import { checkPinned } from "./pinned-checks.ts";
import { speechLike } from "./signals.ts";
import { checkStateful } from "./stateful-checks.ts";
import { checkStateless } from "./stateless-checks.ts";

export type { Finding, Verdict } from "./finding.ts";

export interface CheckOptions extends ModelHarnessOptions {
  /** Returns speech at the model's sample rate, one second or longer. By default a synthetic signal. */
  readonly speech?: (sampleRate: number) => Float32Array;
  /** Receives a line now and then while the model loads. */
  readonly onLoading?: (text: string) => void;
}

/** Interval between two lines about the load. */
const LOADING_MS = 5000;

const SPEECH_SECONDS = 3;

/**
 * Runs the contract suite of a model: loads it into workers as a server does, calls it, and reports each finding at
 * once. A model that hangs or crashes costs a worker; the checks continue.
 */
export async function checkModel(options: CheckOptions, onFinding: (finding: Finding) => void): Promise<void> {
  const report: ReportFinding = (verdict, check, text) => onFinding({ verdict, check, text });
  await using harness = new ModelHarness({ ...options, hasRecording: options.speech !== undefined });
  const startedMs = performance.now();
  const loading = setInterval(() => {
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    options.onLoading?.(`loading: ${harness.pool.load.workersReady} of ${options.workers} workers ready, ${seconds} s`);
  }, LOADING_MS);
  try {
    await harness.pool.ready;
  } catch (error) {
    return report("FAIL", "load", messageOf(error));
  } finally {
    clearInterval(loading);
  }
  const { name, sampleRate, options: taken, concurrency = 1, nativeAddon, loadMs, python } = harness.pool.info;
  const [state, check] = kindOf(harness.pool.info);
  const calls = concurrency > 1 ? `, up to ${concurrency} calls at once` : "";
  const kind = `${state}${calls}${taken ? `, options: ${taken.join(", ") || "none"}` : ""}`;
  report("ok", "load", `"${name}", ${sampleRate} Hz, ${kind}; loaded and warm in ${Math.round(loadMs)} ms`);
  if (python !== undefined) reportPython(python, report);
  if (nativeAddon) {
    const risk = "a call that takes too long cannot be interrupted, and a crash in it ends the server";
    report("note", "native add-on", `the model loads one: ${risk}; with isolation=process it ends one call`);
  }
  const speech = options.speech?.(sampleRate) ?? speechLike(sampleRate, SPEECH_SECONDS);
  try {
    await check(harness, speech, report);
  } catch (error) {
    if (!(error instanceof ChecksAborted)) throw error;
    report("FAIL", "aborted", error.message);
  }
}

/** Returns what is kept of a stream between calls, in words, and the checks of such models. */
function kindOf({ stateful, pinned }: ModelInfo): [kind: string, check: typeof checkStateless] {
  if (pinned) return ["with pinned streams", checkPinned];
  return stateful ? ["with state", checkStateful] : ["without state", checkStateless];
}

function reportPython(
  { executable, implementation, version, numpy }: NonNullable<ModelInfo["python"]>,
  report: ReportFinding,
): void {
  const interpreter = `${implementation} ${version}, ${executable}`;
  if (numpy !== undefined) return report("ok", "interpreter", `${interpreter}, with NumPy ${numpy}`);
  const install = `\`${executable} -m pip install numpy\` installs it`;
  report("note", "interpreter", `${interpreter}, without NumPy: audio is a memoryview of floats; ${install}`);
}
