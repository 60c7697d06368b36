import type { ModelConfig } from "../../../config/config.ts";
import { memoryLimit } from "../../../config/memory-limit.ts";
import { redactSecrets } from "../../../lib/secrets.ts";
import { messageOf } from "../../../lib/thrown.ts";
import { enginesOf } from "../../../model/models.ts";
import { checkReachable } from "../../../model/remote/reachability.ts";
import { hostFor } from "../../../pool/host-for.ts";
import { ModelHarness } from "../../model/checks/model-harness.ts";
import { runPinned } from "../../model/checks/pinned-run.ts";
import { speechLike } from "../../model/checks/signals.ts";
import { runStream } from "../../model/checks/stream-run.ts";
import { threeDigits } from "../../model/checks/timing.ts";
import { formatCount, formatNumber } from "../../terminal/numbers.ts";
import { printableUrl } from "../../terminal/server-address.ts";
import { formatBytes } from "../bytes.ts";
import type { Check, Examined } from "../check.ts";
import type { ReportFinding } from "../finding.ts";

/** Time for starting and ending workers, beside loads and calls, for each model. */
const MARGIN_MS = 30_000;
/** Length of the audio of the call. */
const SECONDS = 1;
const BLOCK_SECONDS = 0.1;
/** Lines of a model's output that are shown when it cannot be loaded. */
const MAX_LINES = 3;
/** Longest time for a connection to an inference server. */
const CONNECT_MS = 3_000;

/**
 * Each model, loaded into one worker as the server would, warmed up and called. If a server runs at the address, it has
 * loaded them, and they are not loaded once more beside it: there may be no memory for that.
 */
export const models: Check = {
  name: "models",
  limitMs: ({ config }) =>
    modelsOf(config).reduce((sum, [, { load_timeout_ms: load, inference_timeout_ms: call }]) => {
      return sum + load + (2 + 2 * (SECONDS / BLOCK_SECONDS)) * call + MARGIN_MS;
    }, 0),
  run: examineModels,
};

async function examineModels(examined: Examined, report: ReportFinding): Promise<void> {
  const { config, machine } = examined;
  const running = await examined.running();
  if (running !== undefined) {
    const found = `the server that runs at ${running.url} has them, so they are not loaded once more here`;
    if (running.state === "ready") return report("ok", "models", found);
    if (running.state === "not ready") {
      return report("warning", "models", `${found}; it is not ready: ${running.reason}`, "look at its log");
    }
    return report("note", "models", `${found}; ${running.reason}`, "streamer health --ready, with a token, asks it");
  }
  let needed = config.limits.arena_mb * 1024 * 1024;
  for (const [key, model] of modelsOf(config)) {
    await examineEngines(key, model, report);
    examined.show(`loading ${model.name}`);
    const bytes = await examineModel(key, model, examined, report);
    needed += bytes * model.workers;
  }
  const { bytes, from } = memoryLimit(machine.read);
  if (needed <= bytes) return;
  const found = `about ${formatBytes(needed)} with all workers and the audio memory, of ${formatBytes(bytes)} (${from})`;
  report("warning", "memory", found, "fewer workers (--workers N), or a smaller limits.arena_mb");
}

function modelsOf({ model, models: others }: Examined["config"]): (readonly [key: string, model: ModelConfig])[] {
  return [["model", model], ...Object.entries(others).map(([name, each]) => [`models.${name}`, each] as const)];
}

/** Reports the inference servers of a remote model that cannot be reached. Others may do their work. */
async function examineEngines(key: string, { name, settings }: ModelConfig, report: ReportFinding): Promise<void> {
  const urls = enginesOf(name, settings).map((url) => url.replace(/^dns\+/, ""));
  await Promise.all(
    urls.map(async (url) => {
      try {
        await checkReachable(url, CONNECT_MS, AbortSignal.timeout(2 * CONNECT_MS));
      } catch (error) {
        const found = `${printableUrl(new URL(url))}: ${messageOf(error)}`;
        report("warning", key, found, `start that inference server, or remove it from ${key}.urls`);
      }
    }),
  );
}

/** Loads and calls a model. Returns the memory that one worker takes, bytes; 0: it is not known. */
async function examineModel(
  key: string,
  model: ModelConfig,
  { programs }: Examined,
  report: ReportFinding,
): Promise<number> {
  const lines: string[] = [];
  await using harness = new ModelHarness({
    model: model.name,
    settings: { ...model.settings },
    workers: 1,
    inferenceTimeoutMs: model.inference_timeout_ms,
    loadTimeoutMs: model.load_timeout_ms,
    startHost: hostFor(model, programs, ({ text }) => {
      if (text.trim() !== "") lines.push(text.trim());
    }),
  });
  const before = harness.memory;
  const remedy = `correct that; streamer model check ${model.name} examines more`;
  try {
    await harness.pool.ready;
  } catch (error) {
    const printed = lines.length === 0 ? "" : `; it printed: ${lines.slice(-MAX_LINES).join(" | ")}`;
    report("failure", key, redactSecrets(`${messageOf(error)}${printed}`), remedy);
    return 0;
  }
  const { name, sampleRate, loadMs, python } = harness.pool.info;
  const called = await call(harness);
  const bytes = Math.max(0, harness.memory - before);
  const runtime = python === undefined ? "" : `, ${python.implementation} ${python.version} (${python.executable})`;
  const loaded = `"${name}", ${formatNumber(sampleRate)} Hz${runtime}, loaded and warm in ${formatMs(loadMs)}`;
  const reason = harness.pool.reportedReason;
  if (typeof called === "string") {
    report(
      "failure",
      key,
      redactSecrets(
        `${loaded}; a call failed: ${called}${reason === undefined || called.includes(reason) ? "" : ` (${reason})`}`,
      ),
      remedy,
    );
    return bytes;
  }
  const factor = called / 1000 / SECONDS;
  const workers = `${formatCount(model.workers, "worker")}, about ${formatBytes(bytes)} each`;
  const found = `${loaded}; ${formatMs(called)} for ${SECONDS} s of audio; ${workers}`;
  if (factor <= 1) report("ok", key, found);
  else report("warning", key, `${found}; slower than real time`, "a smaller model, or a faster machine");
  return bytes;
}

/** Calls a model with audio like speech. Returns the time in the model, ms, or a sentence about the failure. */
async function call(harness: ModelHarness): Promise<number | string> {
  const { sampleRate, stateful, pinned } = harness.pool.info;
  const speech = speechLike(sampleRate, SECONDS);
  const block = Math.round(BLOCK_SECONDS * sampleRate);
  if (pinned) {
    const run = await runPinned(harness, speech, block);
    return "failure" in run ? run.failure : run.inferMs;
  }
  if (stateful) {
    const run = await runStream(harness, speech, block);
    if ("failure" in run) return run.failure;
    return run.factors.reduce((sum, factor) => sum + factor * BLOCK_SECONDS * 1000, 0);
  }
  const outcome = await harness.call(harness.openLane(), speech);
  return outcome.status === "ok" ? outcome.inferMs : harness.describeFailure(outcome);
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${threeDigits(ms / 1000)} s`;
}
