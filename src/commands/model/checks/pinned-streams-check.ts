import type { ReportFinding } from "./finding.ts";
import type { ModelHarness } from "./model-harness.ts";

/** Streams in each of two rounds. The first one warms up. */
const STREAMS = 40;
const MAX_ROUND_MS = 3000;
/** Fewer streams show nothing about memory. */
const MIN_STREAMS = 10;
/** Memory that each stream may leave. */
const MAX_LEFT_BYTES = 1024 * 1024;

/** Ends streams in the middle of an utterance, as clients do that disconnect: each is closed. */
export async function checkClosed(harness: ModelHarness, audio: Float32Array, report: ReportFinding): Promise<void> {
  const round = async (): Promise<number | string> => {
    const untilMs = performance.now() + MAX_ROUND_MS;
    let count = 0;
    for (; count < STREAMS && performance.now() < untilMs; count++) {
      const lane = harness.openLane();
      const outcome = await harness.call(lane, audio, { step: "start", utterance: 0 });
      lane.close();
      if (outcome.status !== "ok") return `after ${count} streams: ${harness.describeFailure(outcome)}`;
    }
    return count;
  };
  const first = await round();
  const before = harness.memory;
  const second = await round();
  for (const ended of [first, second]) if (typeof ended === "string") return report("FAIL", "close", ended);
  const count = Number(second);
  const left = (harness.memory - before) / count;
  const text = `${Number(first) + count} streams ended in the middle of an utterance`;
  if (count < MIN_STREAMS || left <= MAX_LEFT_BYTES) return report("ok", "close", text);
  const amount = `${(left / 1024 ** 2).toFixed(1)} MiB`;
  report("note", "close", `${text}, and each left ${amount} of memory: close() must release what a stream holds`);
}
