import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import type { Job } from "../../src/model/job.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import type { PipelineEvent, Step } from "../../src/pipeline/pipeline.ts";
import { parseEvent } from "../../src/protocol/events.ts";
import { seeded } from "../support/audio.ts";
import { outcomeOf, PipelineRun, RATE, SETUPS, short } from "../support/pipeline-harness.ts";

type Action =
  | { readonly do: "push"; readonly speech: boolean; readonly length: number }
  | { readonly do: "flush" }
  | { readonly do: "answer"; readonly which: number; readonly drop: boolean };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("push" as const),
      speech: fc.boolean(),
      length: fc.oneof(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 1500 }),
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("flush" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("answer" as const), which: fc.nat(1000), drop: fc.boolean() }),
  },
);

function isFinal(event: PipelineEvent): boolean {
  return event.type === "segment" ? event.is_final !== false : event.type === "error";
}

function at(seconds: number | undefined): number {
  return Math.round((seconds ?? Number.NaN) * RATE);
}

/** A run that checks at every step what all pipelines have promised. */
class WatchedRun extends PipelineRun {
  #needed = 0;
  /** Ends of the flushes that have not been answered, each with the finals that must come before. */
  readonly #flushes: { readonly time: number; readonly jobs: Set<Job> }[] = [];
  readonly #unanswered = new Set<Job>();
  #lastFinal = 0;

  override take(step: Step): this {
    for (const job of step.jobs) {
      // Nothing that it wants has been given up before.
      expect(job.start).toBeGreaterThanOrEqual(this.#needed);
      expect(job.end).toBeLessThanOrEqual(this.position);
      if (job.step !== "finish") expect(job.end).toBeGreaterThan(job.start);
      if (job.kind === "final") this.#unanswered.add(job);
    }
    for (const event of step.events) this.#check(event);
    super.take(step);
    expect(this.needed).toBeGreaterThanOrEqual(this.#needed);
    this.#needed = this.needed;
    for (const job of this.#unanswered) expect(this.#needed).toBeLessThanOrEqual(job.start);
    return this;
  }

  override abort(end: number, code: "overloaded" | "internal"): this {
    this.#unanswered.clear();
    return super.abort(end, code, "given up");
  }

  override flush(): this {
    this.#flushes.push({ time: this.position, jobs: new Set() });
    const step = this.pipeline.flush();
    const last = this.#flushes.at(-1);
    for (const job of [...this.#unanswered, ...step.jobs]) if (job.kind === "final") last?.jobs.add(job);
    this.take(step);
    return this.take({ events: this.answers.flushed(this.position), jobs: [] });
  }

  override answer(index: number, outcome = outcomeOf(this.jobs[index] as Job, 5)): this {
    const job = this.jobs[index] as Job;
    this.#unanswered.delete(job);
    for (const { jobs } of this.#flushes) jobs.delete(job);
    return super.answer(index, outcome);
  }

  #check(event: PipelineEvent): void {
    const sent = { ...event, channel: 0 };
    expect(parseEvent(JSON.stringify(sent))).toEqual(sent as never);
    if ((event.type === "segment" || event.type === "error") && event.start_time !== undefined) {
      const [start, end] = [at(event.start_time), at(event.end_time)];
      if (isFinal(event)) {
        expect(start).toBeGreaterThanOrEqual(this.#lastFinal);
        this.#lastFinal = end;
      } else {
        // Neither before an earlier utterance's final nor behind its own.
        expect(start).toBeGreaterThanOrEqual(this.#lastFinal);
        for (const job of this.#unanswered) expect(job.start).toBeGreaterThan(start);
      }
    }
    if (event.type === "flushed") {
      const flush = this.#flushes.shift();
      expect(at(event.time)).toBe(flush?.time ?? -1);
      expect([...(flush?.jobs ?? [])].filter((job) => this.#unanswered.has(job))).toEqual([]);
    }
  }
}

/** Samples of all finals, or of all errors in their place. */
function spans(events: readonly PipelineEvent[], type: "segment" | "error"): number {
  let sum = 0;
  for (const event of events) {
    if (event.type !== "segment" && event.type !== "error") continue;
    // A failure at the end of a stateful stream covers no samples.
    if (event.start_time === undefined) continue;
    if (event.type === type && isFinal(event)) sum += at(event.end_time) - at(event.start_time);
  }
  return sum;
}

function checkLedger(run: PipelineRun, clock: number): void {
  const { inferred, silent, failed, segments, errors, interims } = run.answers.tally;
  expect(inferred + silent + failed).toBe(clock);
  expect(spans(run.events, "segment")).toBe(inferred);
  expect(spans(run.events, "error")).toBe(failed);
  const finals = run.events.filter(isFinal);
  expect(finals.filter(({ type }) => type === "segment").length).toBe(segments);
  expect(finals.filter(({ type }) => type === "error").length).toBe(errors);
  // A failed one counts too, though nothing is sent.
  expect(run.events.filter(({ type }) => type === "segment").length - segments).toBeLessThanOrEqual(interims);
  expect(run.answers.pending).toBe(0);
}

function perform(run: PipelineRun, actions: readonly Action[]): void {
  for (const step of actions) {
    if (step.do === "push") run.push(new Float32Array(step.length).fill(step.speech ? 1 : 0));
    else if (step.do === "flush") run.flush();
    else if (run.jobs.length > 0) {
      const index = step.which % run.jobs.length;
      if (step.drop && run.jobs[index]?.kind === "interim") run.answer(index, { status: "dropped" });
      else run.answer(index);
    }
  }
}

function answerInAnyOrder(run: PipelineRun, seed: number): void {
  const next = seeded(seed);
  while (run.jobs.length > 0) run.answer(Math.floor(next() * run.jobs.length));
}

/**
 * Finals, errors and flushes on the one hand, events of the audio on the other: each in order. How they mix is a matter
 * of time.
 */
function essence(run: PipelineRun): { speech: string[]; results: string[]; tally: object } {
  const said = run.events.filter((event) => event.type !== "segment" || isFinal(event)).map(short);
  const isResult = (text: string) => /^(segment|data|error|flushed)\b/.test(text);
  const tally = { ...run.answers.tally, interims: 0 };
  return { speech: said.filter((text) => !isResult(text)), results: said.filter(isResult), tally };
}

test("every pattern is held to the contract", () => {
  expect(Object.keys(SETUPS).toSorted()).toEqual(Object.keys(PATTERNS).toSorted());
});

for (const [name, make] of Object.entries(SETUPS)) {
  describe(name, () => {
    const actions = fc.array(action, { maxLength: 40 });
    const interimEvery = fc.constantFrom(undefined, 10, 35, 120);

    test("finals in order, interims and flushed in their places, what is needed kept, everything counted once", () => {
      fc.assert(
        fc.property(actions, interimEvery, fc.nat(), (steps, every, seed) => {
          const run = new WatchedRun(make(every));
          perform(run, steps);
          run.end();
          answerInAnyOrder(run, seed);
          checkLedger(run, run.position);
          expect(run.needed).toBeLessThanOrEqual(run.position);
        }),
        { numRuns: 200 },
      );
    });

    test("aborted at any moment, errors name exactly what is counted as failed", () => {
      fc.assert(
        fc.property(actions, interimEvery, fc.boolean(), fc.nat(500), (steps, every, ended, undecoded) => {
          const run = new WatchedRun(make(every));
          perform(run, steps);
          if (ended) run.end();
          const clock = run.position + (ended ? 0 : undecoded);
          // Jobs that have no answer will get none.
          run.abort(clock, "overloaded");
          checkLedger(run, clock);
          const { length } = run.events;
          run.abort(clock, "internal");
          expect(run.events.length).toBe(length);
        }),
        { numRuns: 200 },
      );
    });

    test("the same samples give the same finals, speech events and counts, however they are cut and answered", () => {
      fc.assert(
        fc.property(
          fc.array(fc.record({ speech: fc.boolean(), length: fc.integer({ min: 1, max: 400 }) }), { maxLength: 20 }),
          fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 10 }),
          fc.uniqueArray(fc.nat(3000), { maxLength: 3 }),
          fc.nat(),
          (runs, sizes, flushes, seed) => {
            const samples = runs.flatMap(({ speech, length }) => new Array<number>(length).fill(speech ? 1 : 0));
            const places = flushes.filter((place) => place <= samples.length).toSorted((a, b) => a - b);

            const whole = new WatchedRun(make());
            let from = 0;
            for (const place of places) {
              whole.push(samples.slice(from, place)).flush();
              from = place;
            }
            whole.push(samples.slice(from));
            whole.end().answerAll();

            const pieces = new WatchedRun(make(10));
            const next = seeded(seed);
            if (places.includes(0)) pieces.flush();
            for (let done = 0, i = 0; done < samples.length; i++) {
              const border = places.find((place) => place > done) ?? samples.length;
              const end = Math.min(border, done + (sizes[i % sizes.length] ?? 1));
              pieces.push(samples.slice(done, end));
              done = end;
              if (places.includes(done)) pieces.flush();
              while (pieces.jobs.length > 0 && next() < 0.5) pieces.answer(Math.floor(next() * pieces.jobs.length));
            }
            pieces.end();
            answerInAnyOrder(pieces, seed);
            expect(essence(pieces)).toEqual(essence(whole));
          },
        ),
        { numRuns: 200 },
      );
    });

    test("a stream without audio has no events and no jobs", () => {
      const run = new WatchedRun(make(10)).end();
      expect(run.events).toEqual([]);
      expect(run.jobs).toEqual([]);
      checkLedger(run, 0);
    });

    test("each flush of a stream without audio is answered immediately", () => {
      const run = new WatchedRun(make()).flush().flush();
      expect(run.events.map(short)).toEqual(["flushed 0", "flushed 0"]);
    });

    test("answering at once leaves nothing pending and keeps little", () => {
      const setup = make();
      const run = new WatchedRun(setup);
      for (let i = 0; i < 100; i++) {
        run.push(new Float32Array(37).fill(i % 20 < 6 ? 1 : 0)).answerAll();
        expect(run.answers.pending).toBe(0);
        expect(run.position - run.needed).toBeLessThanOrEqual(setup.holds ?? 0);
      }
    });
  });
}
