import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import type { JobFailure } from "../../src/model/job.ts";
import type { Step } from "../../src/pipeline/pipeline.ts";
import { Endpointer } from "../../src/vad/endpointer.ts";
import { seeded } from "../support/audio.ts";
import { type Endpoint, PinnedRun } from "../support/pinned-lane.ts";
import { pinnedSetup, PlainVad, RATE, short, VAD_SETTINGS, WINDOW } from "../support/pipeline-harness.ts";

interface Case {
  /** Lengths of speech and silence in turn, in samples. */
  readonly runs: readonly { readonly speech: boolean; readonly length: number }[];
  readonly flushes: readonly number[];
  readonly step: number;
  readonly maxUtterance: number;
  readonly minSilence: number;
  readonly interimEvery: number | undefined;
  /** Of all steps, one in so many is an endpoint; 0: none. */
  readonly endpointEvery: number;
  readonly seed: number;
}

const cases: fc.Arbitrary<Case> = fc.record({
  runs: fc.array(fc.record({ speech: fc.boolean(), length: fc.integer({ min: 1, max: 400 }) }), { maxLength: 20 }),
  flushes: fc.uniqueArray(fc.nat(3000), { maxLength: 3 }),
  step: fc.constantFrom(7, 10, 30, 100, 1500),
  maxUtterance: fc.constantFrom(100, 333, 1000),
  minSilence: fc.constantFrom(50, 60, 200),
  interimEvery: fc.constantFrom(undefined, 20, 55),
  endpointEvery: fc.constantFrom(0, 2, 5, 20),
  seed: fc.nat(),
});

function samplesOf({ runs }: Case): number[] {
  return runs.flatMap(({ speech, length }) => new Array<number>(length).fill(speech ? 1 : 0));
}

function endpointOf({ endpointEvery, seed }: Case): Endpoint {
  return (start, end) => endpointEvery > 0 && (start * 31 + end * 17 + seed) % endpointEvery === 0;
}

function settingsOf({ minSilence }: Case) {
  return { ...VAD_SETTINGS, min_silence_ms: minSilence };
}

/** The segments that the rules of the protocol give, found without a pipeline. */
function expectedSegments(pinnedCase: Case): string[] {
  const { flushes, step, maxUtterance } = pinnedCase;
  const endpoint = endpointOf(pinnedCase);
  const samples = Float32Array.from(samplesOf(pinnedCase));
  const endpointer = new Endpointer({ ...settingsOf(pinnedCase), max_utterance_ms: Infinity }, RATE, WINDOW);
  const segments: string[] = [];
  let decided = 0;
  const cut = (start: number, end: number): void => {
    const speechEnd = endpointer.speechEnd >= decided ? end : endpointer.speechEnd;
    for (let from = start, to = start; from < end && from < speechEnd; from = to) {
      const last = Math.min(from + maxUtterance, end);
      let isEndpoint = false;
      while (to < last && !isEndpoint) {
        const next = Math.min(to + step, last);
        isEndpoint = endpoint(to, next);
        to = next;
      }
      segments.push(`segment ${from} ${to}`);
    }
  };
  const emit = (transition: Parameters<Parameters<Endpointer["end"]>[1]>[0]): void => {
    if (transition.type === "utterance") cut(transition.start, transition.end);
  };
  const vad = new PlainVad();
  const decide = (speech: boolean, level: number): void => {
    decided += WINDOW;
    endpointer.decide(speech, level, emit);
  };
  let from = 0;
  for (const place of [...flushes.filter((at) => at <= samples.length).toSorted((a, b) => a - b)]) {
    vad.push(samples, from, place - from, decide);
    endpointer.flush(place, emit);
    segments.push(`flushed ${place}`);
    from = place;
  }
  vad.push(samples, from, samples.length - from, decide);
  endpointer.end(samples.length, emit);
  return segments;
}

/** Checks at every step what is promised about jobs and memory. */
class WatchedRun extends PinnedRun {
  #needed = 0;
  #lastFinal = 0;

  override take(step: Step): this {
    for (const job of step.jobs) {
      expect(job.start).toBeGreaterThanOrEqual(this.#needed);
      expect(job.end).toBeLessThanOrEqual(this.position);
    }
    super.take(step);
    expect(this.jobs.length).toBeLessThanOrEqual(1);
    expect(this.needed).toBeGreaterThanOrEqual(this.#needed);
    expect(this.pipeline.needed).toBeGreaterThanOrEqual(this.needed);
    expect(this.answers.firstPending ?? this.pipeline.unanswered!).toBeLessThanOrEqual(this.needed);
    this.#needed = this.needed;
    for (const job of this.jobs) expect(this.needed).toBeLessThanOrEqual(job.start);
    for (const event of step.events) {
      if (event.type !== "segment" && event.type !== "error") continue;
      const [start, end] = [event.start_time! * RATE, event.end_time! * RATE].map(Math.round) as [number, number];
      expect(start).toBeGreaterThanOrEqual(this.#lastFinal);
      // A final and an interim have heard all of their samples, and no others.
      if (event.type === "segment") expect(event["count"]).toBe(end - start);
      if (event.type === "error" || event.is_final === true) this.#lastFinal = end;
    }
    return this;
  }
}

function run(pinnedCase: Case, sizes: readonly number[], pace: number, answer: (run: WatchedRun) => void): WatchedRun {
  const { step, maxUtterance, interimEvery, seed, flushes } = pinnedCase;
  const settings = { ...settingsOf(pinnedCase), max_utterance_ms: maxUtterance };
  const pinned = new WatchedRun(pinnedSetup({ settings, interimEvery, step }), endpointOf(pinnedCase));
  const samples = samplesOf(pinnedCase);
  const places = flushes.filter((at) => at <= samples.length);
  const chance = seeded(seed);
  if (places.includes(0)) pinned.flush();
  for (let done = 0, i = 0; done < samples.length; i++) {
    const border = Math.min(...places.filter((place) => place > done), samples.length);
    const end = Math.min(border, done + (sizes[i % sizes.length] ?? 1));
    pinned.push(samples.slice(done, end));
    done = end;
    if (places.includes(done)) pinned.flush();
    while (pinned.jobs.length > 0 && chance() < pace) answer(pinned);
  }
  return pinned;
}

function finish(pinned: WatchedRun, answer: (run: WatchedRun) => void): void {
  pinned.end();
  while (pinned.jobs.length > 0) answer(pinned);
}

const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 10 });
const pace = fc.constantFrom(0, 0.3, 0.6, 0.9, 0.99);

function spans(pinned: WatchedRun, type: "segment" | "error"): [number, number][] {
  return pinned.events.flatMap((event): [number, number][] => {
    if (event.type !== type || (event.type === "segment" && event.is_final !== true)) return [];
    return [[Math.round(event.start_time! * RATE), Math.round(event.end_time! * RATE)]];
  });
}

const lengthOf = (all: readonly [number, number][]): number => all.reduce((sum, [start, end]) => sum + end - start, 0);

function expectExactLedger(pinned: WatchedRun, clock: number): void {
  const { inferred, silent, failed, segments, errors } = pinned.answers.tally;
  expect(inferred + silent + failed).toBe(clock);
  expect(lengthOf(spans(pinned, "segment"))).toBe(inferred);
  expect(lengthOf(spans(pinned, "error"))).toBe(failed);
  expect([segments, errors]).toEqual([spans(pinned, "segment").length, spans(pinned, "error").length]);
  expect(pinned.answers.pending).toBe(0);
}

describe("utterances of a pinned model", () => {
  test("are the same for any cut and pace, each sample given once, and the segments are those of the rules", () => {
    fc.assert(
      fc.property(cases, sizes, pace, (pinnedCase, cuts, speed) => {
        const answer = (each: WatchedRun): void => void each.run();
        const whole = run(pinnedCase, [4000], 0, answer);
        const pieces = run(pinnedCase, cuts, speed, answer);
        for (const each of [whole, pieces]) {
          finish(each, answer);
          expectExactLedger(each, samplesOf(pinnedCase).length);
          const given = new Array<number>(each.position).fill(0);
          for (const [start, end] of spans(each, "segment")) given.fill(1, start, end);
          expect(Array.from(given, (_, at) => each.lane.given[at] ?? 0)).toEqual(given);
        }
        const said = (each: WatchedRun, types: RegExp): string[] =>
          each.events.map(short).filter((text) => types.test(text));
        expect(said(pieces, /^(segment|flushed|error)/)).toEqual(expectedSegments(pinnedCase));
        expect(said(pieces, /^(segment|flushed|interim)/)).toEqual(said(whole, /^(segment|flushed|interim)/));
        expect(said(pieces, /active/)).toEqual(said(whole, /active/));
        expect(pieces.answers.tally).toEqual(whole.answers.tally);
      }),
      { numRuns: 400 },
    );
  });

  test("with models that throw and workers that end, in calls and between them, give every sample at most once", () => {
    const codes: JobFailure[] = ["inference_failed", "worker_crashed", "inference_timeout", "model_unavailable"];
    fc.assert(
      fc.property(cases, sizes, pace, fc.constantFrom(0.02, 0.1, 0.5), (pinnedCase, cuts, speed, risk) => {
        const chance = seeded(pinnedCase.seed + 1);
        const answer = (each: WatchedRun): void => {
          if (chance() < risk) each.lane.die();
          if (chance() < risk) each.fail(codes[Math.floor(chance() * codes.length)]!);
          else each.run();
        };
        const pinned = run(pinnedCase, cuts, speed, answer);
        finish(pinned, answer);
        expectExactLedger(pinned, samplesOf(pinnedCase).length);
        const named = new Array<number>(pinned.position).fill(0);
        for (const [start, end] of [...spans(pinned, "segment"), ...spans(pinned, "error")]) named.fill(1, start, end);
        // What was given is answered, by a result or by an error, and what is answered was given.
        expect(Array.from(named, (_, at) => pinned.lane.given[at] ?? 0)).toEqual(named);
        const lost = pinned.events.filter(({ type }) => type === "warning").length;
        expect(lost).toBeLessThanOrEqual(spans(pinned, "error").length);
      }),
      { numRuns: 400 },
    );
  });

  test("that are aborted at any moment have an exact ledger", () => {
    fc.assert(
      fc.property(cases, sizes, pace, fc.boolean(), fc.nat(500), (pinnedCase, cuts, speed, isEnded, undecoded) => {
        const pinned = run(pinnedCase, cuts, speed, (each) => void each.run());
        if (isEnded) pinned.end();
        const clock = pinned.position + (isEnded ? 0 : undecoded);
        pinned.abort(clock, "overloaded", "given up");
        expectExactLedger(pinned, clock);
      }),
      { numRuns: 200 },
    );
  });

  test("hold less than a step of speech, or a pause, when the model keeps up", () => {
    fc.assert(
      fc.property(cases, sizes, (pinnedCase, cuts) => {
        const { step, maxUtterance } = pinnedCase;
        const settings = { ...settingsOf(pinnedCase), max_utterance_ms: maxUtterance };
        const setup = pinnedSetup({ settings, step });
        const pinned = new WatchedRun(setup, endpointOf(pinnedCase));
        const samples = samplesOf(pinnedCase);
        for (let done = 0, i = 0; done < samples.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          pinned.push(samples.slice(done, done + size)).answerAll();
          done += size;
          expect(pinned.position - pinned.needed).toBeLessThanOrEqual(setup.holds!);
        }
      }),
      { numRuns: 100 },
    );
  });
});
