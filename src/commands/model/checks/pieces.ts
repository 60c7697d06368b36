import { type Answered, content, likeness, percentile, type Report, rounded, shownAnswer } from "./findings.ts";
import { oddSignals, speechLike } from "./signals.ts";
import type { Bench } from "./trial.ts";

const TIMED_CALLS = 20;
const TIMED_MS = 5_000;
const MOST_IN_BATCH = 8;

/** Tries a model that takes every piece on its own. `speech` is at the model's rate, a second or more. */
export async function checkPieces(bench: Bench, speech: Float32Array, report: Report): Promise<void> {
  const { sampleRate } = bench.pool;
  const first = await answers(bench, speech.subarray(0, sampleRate), report);
  if (first === undefined) return;
  await takesTime(bench, speech, report);
  await repeats(bench, speech, first, report);
  if (bench.pool.info.maxBatch > 1) await batches(bench, report);
  await takesInterims(bench, speech, report);
  for (const { name, samples, when } of oddSignals(sampleRate)) {
    const outcome = await bench.call(bench.lane(), samples);
    if (outcome.status === "ok") report("ok", name, `answers ${shownAnswer(outcome)}`);
    else report("FAIL", name, `it ${bench.fault(outcome)}; ${when}`);
  }
  const empty = await bench.call(bench.lane(), new Float32Array(0));
  if (empty.status === "ok") report("ok", "no samples", `answers ${shownAnswer(empty)}`);
  else report("note", "no samples", `it ${bench.fault(empty)}; a server never sends this`);
  await stillAnswers(bench, speech, first, report);
}

async function answers(bench: Bench, piece: Float32Array, report: Report): Promise<Answered | undefined> {
  const outcome = await bench.call(bench.lane(), piece);
  if (outcome.status !== "ok") {
    report("FAIL", "answers", `it ${bench.fault(outcome)}; the rest cannot be tried`);
    return undefined;
  }
  report("ok", "answers", `to a second of speech, and it can be sent: ${shownAnswer(outcome)}`);
  return outcome;
}

async function takesTime(bench: Bench, speech: Float32Array, report: Report): Promise<void> {
  const { sampleRate } = bench.pool;
  const factors: number[] = [];
  let spent = 0;
  for (let i = 0; i < TIMED_CALLS && spent < TIMED_MS; i++) {
    const start = Math.floor(((i * 0.37) % 1) * (speech.length - sampleRate));
    const outcome = await bench.call(bench.lane(), speech.subarray(start, start + sampleRate));
    if (outcome.status !== "ok") return report("FAIL", "time", `after ${i} calls it ${bench.fault(outcome)}`);
    factors.push(outcome.inferMs / 1000);
    spent += outcome.inferMs;
  }
  reportFactors(factors, 1, report);
}

/** `factors`: seconds taken for each second of audio; `seconds`: length of the pieces that were timed. */
export function reportFactors(factors: readonly number[], seconds: number, report: Report): void {
  const [middle, most] = [percentile(factors, 0.5), Math.max(...factors)];
  const pace = `real-time factor ${rounded(middle)} (p50), ${rounded(most)} (max)`;
  const blocks = `blocks its worker ${rounded(middle * seconds * 1000)} ms for ${seconds * 1000} ms of speech: ${pace}`;
  if (middle <= 1) return report("ok", "time", blocks);
  report("note", "time", `${blocks}; slower than speech: a worker falls behind even a single speaker`);
}

async function repeats(bench: Bench, speech: Float32Array, first: Answered, report: Report): Promise<void> {
  const { sampleRate, info } = bench.pool;
  const piece = speech.subarray(0, sampleRate);
  const found = new Set<string>();
  for (const samples of [piece, piece, speechLike(sampleRate, 0.5, 9), piece]) {
    const outcome = await bench.call(bench.lane(), samples);
    if (outcome.status !== "ok") return report("FAIL", "deterministic", `when asked again it ${bench.fault(outcome)}`);
    if (samples === piece) found.add(likeness(content(first), content(outcome)));
  }
  if (found.has("different")) {
    const cure = "if it keeps something from call to call, it should be a stateful model";
    report("note", "deterministic", `no: the same audio gives different answers; ${cure}`);
  } else if (found.has("close"))
    report("note", "deterministic", "but for rounding: the same audio, almost the same answer");
  else report("ok", "deterministic", "the same audio gives the same answer");
  if (!found.has("different") && !info.idempotent) {
    const gain = "with `idempotent: true` a server tries a piece again when its worker dies";
    report("note", "idempotent", `not declared, though answers repeat: ${gain}`);
  }
}

async function batches(bench: Bench, report: Report): Promise<void> {
  const { sampleRate, info } = bench.pool;
  const count = Math.min(info.maxBatch, MOST_IN_BATCH);
  const pieces = Array.from({ length: count }, (_, i) => speechLike(sampleRate, 0.5 + 0.1 * i, 10 + i));
  const alone: Answered[] = [];
  for (const piece of pieces) {
    const outcome = await bench.call(bench.lane(), piece);
    if (outcome.status !== "ok") return report("FAIL", "batch", `of a single piece it ${bench.fault(outcome)}`);
    alone.push(outcome);
  }
  const together = await Promise.all(pieces.map((piece) => bench.call(bench.lane(), piece)));
  let worst: ReturnType<typeof likeness> = "same";
  let [largest, batchMs] = [1, 0];
  for (const [i, outcome] of together.entries()) {
    if (outcome.status !== "ok") return report("FAIL", "batch", `of ${count} pieces it ${bench.fault(outcome)}`);
    const found = likeness(content(alone[i]!), content(outcome));
    if (found === "different") {
      const words = `${shownAnswer(outcome)} in a batch of ${outcome.batchSize}, ${shownAnswer(alone[i]!)} alone`;
      return report("FAIL", "batch", `piece ${i} answers differently in company: ${words}`);
    }
    if (found === "close") worst = found;
    if (outcome.batchSize > largest) [largest, batchMs] = [outcome.batchSize, outcome.inferMs];
  }
  const ratio = batchMs / (alone.reduce((sum, { inferMs }) => sum + inferMs, 0) / count || 1);
  const equal = worst === "same" ? "equal" : "equal but for rounding";
  report("ok", "batch", `answers are ${equal}; a batch of ${largest} takes as long as ${rounded(ratio)} single calls`);
}

async function takesInterims(bench: Bench, speech: Float32Array, report: Report): Promise<void> {
  const piece = speech.subarray(0, Math.floor(bench.pool.sampleRate / 2));
  const outcome = await bench.call(bench.lane(), piece, { kind: "interim" });
  if (outcome.status === "ok") report("ok", "interim", `with call.final false it answers ${shownAnswer(outcome)}`);
  else report("FAIL", "interim", `with call.final false it ${bench.fault(outcome)}`);
}

async function stillAnswers(bench: Bench, speech: Float32Array, first: Answered, report: Report): Promise<void> {
  const outcome = await bench.call(bench.lane(), speech.subarray(0, bench.pool.sampleRate));
  if (outcome.status !== "ok") report("FAIL", "afterwards", `after all that, it ${bench.fault(outcome)}`);
  else if (likeness(content(first), content(outcome)) !== "different")
    report("ok", "afterwards", "answers as at first");
  else report("note", "afterwards", `answers otherwise than at first: ${shownAnswer(outcome)}`);
}
