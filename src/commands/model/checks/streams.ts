import { serialize } from "node:v8";

import type { Outcome } from "../../../model/job.ts";
import { type Answered, content, likeness, type Report, rounded, shownAnswer } from "./findings.ts";
import { reportFactors } from "./pieces.ts";
import { oddSignals } from "./signals.ts";
import type { Bench } from "./trial.ts";

/** A block of /api/v1/stateful by default, `stateful.block_ms`. */
const BLOCK_SECONDS = 0.1;
const OTHER_BLOCK_SECONDS = 0.037;
const LARGE_STATE_BYTES = 64 * 1024;

/** What a model said about a stream. */
interface Told {
  /** One for each block, and one for the end. */
  readonly answers: readonly Answered[];
  /** The state after each block. */
  readonly states: readonly unknown[];
  readonly factors: readonly number[];
}

/** Where in a stream a model failed, and how. */
interface Broken {
  readonly fault: string;
}

/** Tries a model that takes each piece after the one before. `speech` is at the model's rate. */
export async function checkStreams(bench: Bench, speech: Float32Array, report: Report): Promise<void> {
  const { sampleRate } = bench.pool;
  const block = Math.round(BLOCK_SECONDS * sampleRate);
  const first = await stream(bench, speech, block);
  if ("fault" in first) return report("FAIL", "answers", `${first.fault}; the rest cannot be tried`);
  const said = first.answers.slice(0, -1).filter(({ output, audio }) => output !== undefined || audio !== undefined);
  const example = said[0] === undefined ? "" : `, the first ${shownAnswer(said[0])}`;
  report("ok", "answers", `to ${said.length} of ${first.answers.length - 1} blocks of speech${example}`);
  const end = first.answers.at(-1)!;
  report("ok", "the end", end.output === undefined ? "it has nothing more to say" : `it says ${shownAnswer(end)}`);
  reportFactors(first.factors, BLOCK_SECONDS, report);
  reportState(first, report);
  await repeats(bench, speech, block, first, report);
  await otherBlocks(bench, speech, sampleRate, first, report);
  await sameStep(bench, speech, block, first, report);
  for (const { name, samples, when } of oddSignals(sampleRate)) {
    const told = await stream(bench, samples, block);
    if ("fault" in told) report("FAIL", name, `${told.fault}; ${when}`);
    else report("ok", name, `answered: ${told.answers.length - 1} blocks and an end`);
  }
  const empty = await stream(bench, new Float32Array(0), block);
  if ("fault" in empty) report("FAIL", "no samples", `${empty.fault}; a client may stop before it has sent anything`);
  else report("ok", "no samples", "a stream without audio has a start and an end");
  const again = await stream(bench, speech, block);
  if ("fault" in again) report("FAIL", "afterwards", `after all that, ${again.fault}`);
  else if (compare(first, again) !== "different") report("ok", "afterwards", "answers as at first");
  else report("note", "afterwards", "answers otherwise than at first");
}

async function stream(bench: Bench, samples: Float32Array, block: number): Promise<Told | Broken> {
  const lane = bench.lane();
  const none = new Float32Array(0);
  const told = { answers: [] as Answered[], states: [] as unknown[], factors: [] as number[] };
  const begun = await bench.call(lane, none, { step: "start" });
  if (begun.status !== "ok") return { fault: `at the start it ${bench.fault(begun)}` };
  let { state } = begun;
  for (let at = 0; at < samples.length; at += block) {
    const piece = samples.subarray(at, at + block);
    const outcome: Outcome = await bench.call(lane, piece, { step: "step", state });
    if (outcome.status !== "ok") return { fault: `at block ${told.answers.length} it ${bench.fault(outcome)}` };
    told.answers.push(outcome);
    told.factors.push((outcome.inferMs / 1000) * (bench.pool.sampleRate / piece.length));
    ({ state } = outcome);
    told.states.push(state);
  }
  const ended = await bench.call(lane, none, { step: "finish", state });
  if (ended.status !== "ok") return { fault: `at the end it ${bench.fault(ended)}` };
  told.answers.push(ended);
  lane.close();
  return told;
}

function reportState({ states }: Told, report: Report): void {
  const sizes = states.map((state) => serialize(state).byteLength);
  const [first = 0, last = 0, largest] = [sizes[0], sizes.at(-1), Math.max(...sizes)];
  const words = `can be cloned; ${largest} bytes at most travel with each block`;
  if (largest > LARGE_STATE_BYTES) report("note", "state", `${words}, which takes time and memory: keep it small`);
  else if (last > 2 * first + 256)
    report("note", "state", `${words}; it grows from block to block, from ${first} to ${last} bytes`);
  else report("ok", "state", words);
}

async function repeats(bench: Bench, speech: Float32Array, block: number, first: Told, report: Report): Promise<void> {
  const again = await stream(bench, speech, block);
  if ("fault" in again) return report("FAIL", "deterministic", `when asked again, ${again.fault}`);
  const found = compare(first, again);
  if (found === "different") {
    const cure = "draw from a seed in the state, and keep nothing of a stream in the instance";
    return report("note", "deterministic", `no: the same stream gives different answers; ${cure}`);
  }
  report(
    "ok",
    "deterministic",
    `the same stream gives the same answers${found === "close" ? ", but for rounding" : ""}`,
  );
  const both = await Promise.all([stream(bench, speech, block), stream(bench, speech.toReversed(), block)]);
  for (const told of both) {
    if ("fault" in told) return report("FAIL", "two at once", told.fault);
  }
  if (compare(first, both[0] as Told) !== "different") report("ok", "two at once", "streams do not disturb each other");
  else {
    const cure = "what belongs to a stream must be in the state, not in the instance";
    report("FAIL", "two at once", `a second stream changes the answers of the first: ${cure}`);
  }
}

function compare(a: Told, b: Told): ReturnType<typeof likeness> {
  return likeness(a.answers.map(content), b.answers.map(content));
}

/** A server cuts streams into blocks of one size, whatever the client sends, so this is for information. */
async function otherBlocks(
  bench: Bench,
  speech: Float32Array,
  sampleRate: number,
  first: Told,
  report: Report,
): Promise<void> {
  const milliseconds = OTHER_BLOCK_SECONDS * 1000;
  const other = await stream(bench, speech, Math.round(OTHER_BLOCK_SECONDS * sampleRate));
  if ("fault" in other) return report("FAIL", "block size", `in blocks of ${milliseconds} ms, ${other.fault}`);
  const [sound, otherSound] = [soundOf(first), soundOf(other)];
  const what = sound.length > 0 ? "sound" : "the answer at the end";
  const same =
    sound.length > 0
      ? likeness(sound, otherSound)
      : likeness(content(first.answers.at(-1)!), content(other.answers.at(-1)!));
  if (same === "different")
    report("note", "block size", `${what} depends on stateful.block_ms (100 and ${milliseconds} ms differ)`);
  else report("ok", "block size", `${what} does not depend on it${same === "close" ? ", but for rounding" : ""}`);
}

function soundOf({ answers }: Told): number[] {
  return answers.flatMap(({ audio }) => [...(audio?.samples ?? [])]);
}

async function sameStep(bench: Bench, speech: Float32Array, block: number, first: Told, report: Report): Promise<void> {
  const [state, answer] = [first.states[0], first.answers[1]];
  if (speech.length < 2 * block || answer === undefined) return;
  const outcome = await bench.call(bench.lane(), speech.subarray(block, 2 * block), { step: "step", state });
  if (outcome.status !== "ok") return report("FAIL", "step again", `from an earlier state, it ${bench.fault(outcome)}`);
  const { idempotent } = bench.pool.info;
  const same = likeness(content(answer), content(outcome)) !== "different";
  if (same && !idempotent) {
    const gain = "with `idempotent: true` a server tries a step again when its worker dies";
    report("note", "idempotent", `not declared, though a step can be repeated: ${gain}`);
  } else if (same) report("ok", "idempotent", "a step from the same state gives the same answer");
  else if (idempotent) report("FAIL", "idempotent", "declared, but a step from the same state gives another answer");
  else report("ok", "step again", `a step from an earlier state gives an answer (${rounded(outcome.inferMs)} ms)`);
}
