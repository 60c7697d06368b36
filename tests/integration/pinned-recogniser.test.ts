import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Segment, ServerEvent } from "../../src/protocol/events.ts";
import { concat, encode } from "../support/audio.ts";
import { BUILD_MS, sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";
import { chunkInvariantEvents, expectExactLedger } from "../support/ledgers.ts";
import { modelPath } from "../support/pool-harness.ts";
import { recorded } from "../support/recorded.ts";

setDefaultTimeout(BUILD_MS);

const RATE = 16_000;
const executable = await sharedExecutable();
const reader = await recorded(0);
/** Real speech, 23 s. With pauses of up to 5 s it is one utterance of about 20 s. */
const LONG = encode("s16", concat(reader, reader.subarray(0, 5 * RATE)));
const ONE_UTTERANCE = { min_silence_ms: 5000, max_utterance_ms: 60_000 };

interface Result extends Segment {
  readonly samples: number;
  readonly steps: number;
  readonly digest: number;
  readonly utterance: number;
  readonly words: readonly { readonly start: number; readonly end: number }[];
}

interface Streaming {
  readonly settings?: Settings;
  readonly sizes?: readonly number[];
  readonly start?: object;
  readonly path?: string;
}

/** Sends the long recording to the model on a server of its own. Returns the events. */
async function stream({ settings = {}, sizes = [LONG.length], start, path }: Streaming = {}): Promise<
  readonly ServerEvent[]
> {
  const all = { "model.name": modelPath("incremental"), "model.workers": 2, ...settings };
  await using server = await executable.serve(all);
  using client = await server.connect({ path: path ?? "/api/v1/segmented" });
  const fields = { interim_results: true, vad: ONE_UTTERANCE, ...start };
  client.start({ ...fields, ...(path !== undefined && { vad: undefined }) });
  let messages = 0;
  await client.sendInChunks(LONG, () => sizes[messages++ % sizes.length]!);
  client.stop();
  await client.nextEvent("stopped");
  expectExactLedger(client.events, { bytes: LONG.length, frameBytes: 2 });
  return [...client.events];
}

const segments = (events: readonly ServerEvent[], isFinal: boolean): Result[] =>
  events.filter((event) => event.type === "segment" && event.is_final === isFinal) as Result[];

const at = (seconds: number | undefined): number => Math.round((seconds ?? Number.NaN) * RATE);

describe("a pinned recogniser, on an utterance of 20 s of real speech", () => {
  test("is given each sample once, with interim results every 0.5 s, and the same for any cut and pace", async () => {
    const whole = await stream();
    const [final, ...others] = segments(whole, true);
    expect(others).toEqual([]);
    const length = at(final?.end_time) - at(final?.start_time);
    expect(length).toBeGreaterThan(20 * RATE);
    expect(final).toMatchObject({ samples: length, steps: Math.ceil(length / 1600), utterance: 0, final: true });
    expect(final?.words[0]).toMatchObject({ start: final?.start_time, end: final?.end_time });

    const interims = segments(whole, false);
    expect(interims.map(({ end_time }) => at(end_time) - at(final?.start_time))).toEqual(
      Array.from({ length: Math.ceil(length / 8000) - 1 }, (_, i) => 8000 * (i + 1)),
    );
    // What has been given at an interim is what it covers: nothing is given twice.
    for (const { start_time, end_time, samples } of interims) expect(samples).toBe(at(end_time) - at(start_time));
    expect(interims.filter((interim) => interim["final"] !== false)).toEqual([]);

    const cut = await stream({ sizes: [1, 777, 3200, 20_000], settings: { "model.slow_ms": 20 } });
    expect(chunkInvariantEvents(cut)).toEqual(chunkInvariantEvents(whole));
    expect(segments(cut, false)).toEqual(interims);
    const plain = await stream({ start: { interim_results: false } });
    expect(segments(plain, true)).toEqual([final!]);
    expect(segments(plain, false)).toEqual([]);
  });

  test("names what a worker that dies in a step, or between two, has taken with it", async () => {
    const [reference] = segments(await stream(), true);
    const start = at(reference?.start_time);
    const place = (start + 50 * 1600) / RATE;
    for (const setting of ["exits_at", "exits_after"]) {
      const events = await stream({ settings: { [`model.${setting}`]: place, "model.workers": 1 } });
      const [error, ...more] = events.filter((event) => event.type === "error");
      expect(more).toEqual([]);
      expect(error).toMatchObject({ code: "worker_crashed", fatal: false, start_time: reference?.start_time });
      const border = at(error?.end_time);
      // The one that exits behind a step may have been given others.
      if (setting === "exits_at") expect(border).toBe(start + 51 * 1600);
      else expect((border - start) % 1600).toBe(0);
      expect(border).toBeGreaterThanOrEqual(start + 51 * 1600);
      const [final] = segments(events, true);
      expect(at(final?.start_time)).toBe(border);
      expect(final).toMatchObject({ end_time: reference?.end_time, utterance: 1 });
      expect(final?.samples).toBe(at(final?.end_time) - border);
      expect(events.filter(({ type }) => type === "warning")).toMatchObject([{ code: "state_lost", channel: 0 }]);
      expect(events.filter(({ type }) => type === "active" || type === "inactive")).toHaveLength(2);
    }
  });

  test("goes on with a new stream behind a step that throws", async () => {
    const [reference] = segments(await stream(), true);
    const start = at(reference?.start_time);
    const events = await stream({ settings: { "model.throws_at": (start + 30 * 1600) / RATE } });
    expect(events.filter((event) => event.type === "error")).toMatchObject([
      { code: "inference_failed", message: "not understood", end_time: (start + 31 * 1600) / RATE },
    ]);
    expect(segments(events, true)).toMatchObject([{ start_time: (start + 31 * 1600) / RATE, utterance: 1 }]);
    expect(events.filter(({ type }) => type === "warning")).toEqual([]);
  });

  test("ends segments itself, each on the sample where the next begins, without speech events between", async () => {
    const events = await stream({ settings: { "model.endpoint": 40, "model.step_ms": 50 } });
    const finals = segments(events, true);
    expect(finals.length).toBeGreaterThan(9);
    for (const [i, { start_time, end_time, samples, utterance }] of finals.entries()) {
      expect(samples).toBe(at(end_time) - at(start_time));
      expect(utterance).toBe(i);
      if (i < finals.length - 1) expect(samples).toBe(2 * RATE);
      if (i > 0) expect(start_time).toBe(finals[i - 1]!.end_time);
    }
    expect(events.filter(({ type }) => type === "active")).toHaveLength(1);
  });

  test("gets all audio in blocks on /stateful, and says the last at the end", async () => {
    const events = await stream({ path: "/api/v1/stateful" });
    const results = events.filter((event) => event.type === "segment") as Result[];
    expect(results.map(({ samples }) => samples)).toEqual(results.map(({ end_time }) => at(end_time)));
    expect(results.filter((result) => result["final"] !== true)).toEqual([]);
    expect(events.filter((event) => event.type === "data")).toMatchObject([
      { samples: LONG.length / 2, steps: 230, words: [{ start: 0, end: 23 }] },
    ]);
  });
});

test("a pinned model is refused on /simple, in words that name the paths for it", async () => {
  await using server = await executable.serve({ "model.name": modelPath("incremental"), "model.workers": 1 });
  using client = await server.connect({ path: "/api/v1/simple" });
  client.start();
  expect(await client.nextEvent("error")).toMatchObject({
    code: "invalid_request",
    param: "model",
    message: 'model: found "incremental", which is pinned, on /simple; allowed: this model on /stateful or /segmented',
  });
});
