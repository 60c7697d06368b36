import { expect, test } from "bun:test";

import fc from "fast-check";

import { VAD_DEFAULTS, type VadSettings } from "../../src/protocol/vad-settings.ts";
import { Endpointer, longestBeginningMs, type Transition } from "../../src/vad/endpointer.ts";

/** At this rate a sample is a millisecond. */
const RATE = 1000;
const WINDOW = 10;

const SETTINGS: VadSettings = {
  ...VAD_DEFAULTS,
  min_speech_ms: 30,
  min_silence_ms: 100,
  pre_roll_ms: 20,
  post_roll_ms: 40,
  max_utterance_ms: 1000,
};

/** An endpointer, and its transitions as short texts: "active 10", "utterance 0 50". */
class EndpointerHarness {
  readonly texts: string[] = [];
  readonly utterances: { readonly start: number; readonly end: number }[] = [];
  readonly endpointer: Endpointer;
  /** End of the last window. */
  position = 0;

  constructor(settings: Partial<VadSettings> = {}) {
    this.endpointer = new Endpointer({ ...SETTINGS, ...settings }, RATE, WINDOW);
  }

  readonly emit = (transition: Transition): void => {
    if (transition.type === "utterance") {
      this.utterances.push(transition);
      this.texts.push(`utterance ${transition.start} ${transition.end}`);
    } else this.texts.push(`${transition.type} ${transition.position}`);
  };

  /** `#` is a window of speech, `.` one without; a digit is one of speech at that level; `|` is a flush. */
  decide(windows: string): this {
    for (const window of windows) {
      if (window === "|") this.flush();
      else {
        this.position += WINDOW;
        const level = /\d/.test(window) ? Number(window) : window === "." ? -60 : -20;
        this.endpointer.decide(window !== ".", level, this.emit);
      }
    }
    return this;
  }

  /** @param extra samples beyond the last window, which no window has decided yet */
  flush(extra = 0): this {
    this.endpointer.flush(this.position + extra, this.emit);
    return this;
  }

  end(extra = 0): this {
    this.endpointer.end(this.position + extra, this.emit);
    return this;
  }
}

function transitions(windows: string, settings: Partial<VadSettings> = {}): string[] {
  return new EndpointerHarness(settings).decide(windows).texts;
}

test("active is the begin of the first speech window, and is emitted once min_speech is reached", () => {
  const harness = new EndpointerHarness().decide("....##");
  expect(harness.texts).toEqual([]);
  expect(harness.decide("#").texts).toEqual(["active 40"]);
});

test("without min_speech the first speech window is enough", () => {
  expect(transitions("..#", { min_speech_ms: 0 })).toEqual(["active 20"]);
});

test("speech shorter than min_speech gives no event, and speech after a pause begins anew", () => {
  expect(transitions("..##......##......##....")).toEqual([]);
  // Pauses of up to 50 ms do not end a beginning.
  expect(transitions("..##.....#")).toEqual(["active 20"]);
  expect(transitions("..##......#...........")).toEqual([]);
  expect(transitions("..##......###")).toEqual(["active 100"]);
});

test("inactive is the end of the last speech window, emitted once min_silence is over", () => {
  const harness = new EndpointerHarness().decide("..#####.........");
  expect(harness.texts).toEqual(["active 20"]);
  expect(harness.decide(".").texts).toEqual(["active 20", "inactive 70", "utterance 0 110"]);
});

test("a pause shorter than min_silence does not end an utterance", () => {
  expect(transitions("...###.........#..........")).toEqual(["active 30", "inactive 160", "utterance 10 200"]);
});

test("a min_silence that is no whole number of windows is rounded up", () => {
  const settings = { min_silence_ms: 95, post_roll_ms: 95 };
  expect(transitions(`###${".".repeat(9)}`, settings)).toEqual(["active 0"]);
  expect(transitions(`###${".".repeat(10)}`, settings)).toEqual(["active 0", "inactive 30", "utterance 0 125"]);
});

test("a segment begins pre_roll before speech, but not before the stream or inside the last segment", () => {
  expect(transitions("#####..........", { pre_roll_ms: 500 })).toEqual(["active 0", "inactive 50", "utterance 0 90"]);
  expect(transitions("..###..........###..........", { pre_roll_ms: 70, post_roll_ms: 100 })).toEqual([
    "active 20",
    "inactive 50",
    "utterance 0 150",
    "active 150",
    "inactive 180",
    "utterance 150 280",
  ]);
});

test("a segment ends post_roll after speech, but not beyond the audio received", () => {
  expect(new EndpointerHarness({ post_roll_ms: 100 }).decide("###..").end(7).texts).toEqual([
    "active 0",
    "inactive 30",
    "utterance 0 57",
  ]);
  expect(new EndpointerHarness({ post_roll_ms: 0 }).decide("###..").end(7).texts).toEqual([
    "active 0",
    "inactive 30",
    "utterance 0 30",
  ]);
});

test("the end of the stream ends an open utterance and ignores speech that was too short", () => {
  expect(new EndpointerHarness().decide("..####").end(3).texts).toEqual(["active 20", "inactive 60", "utterance 0 63"]);
  expect(new EndpointerHarness().decide("..##").end().texts).toEqual([]);
  expect(new EndpointerHarness().end().texts).toEqual([]);
});

test("at max_utterance the segment ends at the quietest border of its last second, where the next begins", () => {
  // 1200 ms of speech; the border between 540 and 550 is the quietest within 200 .. 1200.
  const levels = "9".repeat(10) + "11" + "9".repeat(42) + "22" + "9".repeat(64);
  const harness = new EndpointerHarness({ max_utterance_ms: 1200, pre_roll_ms: 0 }).decide(levels);
  expect(harness.texts).toEqual(["active 0", "utterance 0 550"]);
  harness.decide("..........");
  expect(harness.texts.slice(2)).toEqual(["inactive 1200", "utterance 550 1240"]);
});

test("of equally quiet borders the latest is taken, and a segment is never longer than max_utterance", () => {
  expect(transitions("5".repeat(100), { pre_roll_ms: 0 })).toEqual(["active 0", "utterance 0 990"]);
  // With a pre-roll that is no whole number of windows the limit is not on a border.
  const settings = { pre_roll_ms: 15, max_utterance_ms: 1200 };
  expect(transitions(`...${"5".repeat(119)}`, settings)).toEqual(["active 30", "utterance 15 1200"]);
});

test("a cut in the pause behind the last word leaves no segment when no audio is left", () => {
  const harness = new EndpointerHarness({ pre_roll_ms: 0, post_roll_ms: 0, min_silence_ms: 300 });
  harness.decide(`${"5".repeat(85)}${".".repeat(29)}`);
  expect(harness.texts).toEqual(["active 0", "utterance 0 990"]);
  expect(harness.endpointer.open).toBe(990);
  harness.decide(".");
  expect(harness.texts).toEqual(["active 0", "utterance 0 990", "inactive 850"]);
  expect(harness.endpointer.open).toBeUndefined();
  // The next utterance does not reach into the one that was cut.
  expect(harness.decide("###..............................").texts.slice(3)).toEqual([
    "active 1150",
    "inactive 1180",
    "utterance 1150 1180",
  ]);
});

test("speech whose beginning took longer than max_utterance is cut into segments that are not too long", () => {
  const settings = { min_speech_ms: 2000, max_utterance_ms: 1000, pre_roll_ms: 100, min_silence_ms: 1000 };
  const harness = new EndpointerHarness(settings).decide(`${".".repeat(30)}${"#.....".repeat(200)}`);
  expect(harness.texts[0]).toBe("active 300");
  expect(harness.utterances[0]?.start).toBe(200);
  for (const [i, { start, end }] of harness.utterances.entries()) {
    expect(end - start).toBeLessThanOrEqual(1000);
    expect(start).toBe(harness.utterances[i - 1]?.end ?? 200);
  }
  expect(harness.position - (harness.endpointer.open ?? 0)).toBeLessThanOrEqual(1000);
});

test("a beginning never takes longer than longestBeginningMs", () => {
  for (const min_speech_ms of [0, 5, 10, 15, 100, 2000]) {
    for (const [rate, window] of [
      [1000, 10],
      [4049, 40],
      [11_025, 110],
      [16_000, 160],
      [16_000, 512],
    ] as const) {
      const endpointer = new Endpointer({ ...SETTINGS, min_speech_ms }, rate, window);
      const gap = Math.floor((0.05 * rate) / window);
      let position = 0;
      let active: number | undefined;
      while (active === undefined) {
        for (let i = 0; i <= gap && active === undefined; i++) {
          position += window;
          endpointer.decide(i === 0, 0, () => (active = position));
        }
      }
      expect((active * 1000) / rate).toBeLessThanOrEqual(
        longestBeginningMs({ ...SETTINGS, min_speech_ms }, (window * 1000) / rate),
      );
    }
  }
});

test("flush ends an open utterance at its position, and speech that goes on is a new active there", () => {
  const harness = new EndpointerHarness().decide("..#####").flush(4);
  expect(harness.texts).toEqual(["active 20", "inactive 74", "utterance 0 74"]);
  harness.decide("###..........");
  expect(harness.texts.slice(3)).toEqual(["active 74", "inactive 100", "utterance 74 140"]);
});

test("flush in the pause behind speech ends the utterance there, post-roll or not", () => {
  expect(transitions("..###.....|")).toEqual(["active 20", "inactive 100", "utterance 0 100"]);
});

test("flush in silence and before min_speech changes nothing", () => {
  expect(transitions("..|..##|#....|")).toEqual(["active 40", "inactive 110", "utterance 20 110"]);
  expect(transitions("|||")).toEqual([]);
  expect(transitions("..###||")).toEqual(["active 20", "inactive 50", "utterance 0 50"]);
});

test("flush inside a window whose speech then ends gives an utterance of the rest", () => {
  const harness = new EndpointerHarness({ min_speech_ms: 0, post_roll_ms: 0 })
    .decide("..##")
    .flush(9)
    .decide("#..........");
  expect(harness.texts).toEqual([
    "active 20",
    "inactive 49",
    "utterance 0 49",
    "active 49",
    "inactive 50",
    "utterance 49 50",
  ]);
});

test("flush right behind a cut ends the rest of the utterance", () => {
  const harness = new EndpointerHarness({ pre_roll_ms: 0 }).decide("5".repeat(100)).flush();
  expect(harness.texts).toEqual(["active 0", "utterance 0 990", "inactive 1000", "utterance 990 1000"]);
});

const settingsShape = fc.record({
  threshold_db: fc.constant(10),
  floor_dbfs: fc.constant(-70),
  min_speech_ms: fc.oneof(fc.constantFrom(0, 10, 30, 100), fc.integer({ min: 0, max: 1500 })),
  min_silence_ms: fc.integer({ min: 50, max: 400 }),
  pre_roll_ms: fc.integer({ min: 0, max: 300 }),
  post_roll_ms: fc.integer({ min: 0, max: 50 }),
  max_utterance_ms: fc.integer({ min: 1000, max: 2500 }),
});

/** Windows of speech and silence in runs of mixed length, with their levels. */
const windowsShape = fc
  .array(
    fc.record({
      speech: fc.boolean(),
      length: fc.oneof(
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 300 }),
      ),
      levels: fc.array(fc.integer({ min: -90, max: 0 }), { minLength: 1, maxLength: 20 }),
    }),
    { maxLength: 24 },
  )
  .map((runs) =>
    runs.flatMap(({ speech, length, levels }) =>
      Array.from({ length }, (_, i) => ({ speech, level: levels[i % levels.length] ?? 0 })),
    ),
  );

/** The protocol page, "Segmentation", read as a regular expression over the whole stream instead of a state machine. */
function expected(
  settings: VadSettings,
  windows: readonly { speech: boolean; level: number }[],
  length: number,
): { texts: string[]; utterances: { start: number; end: number }[] } {
  const text = windows.map(({ speech }) => (speech ? "#" : ".")).join("");
  const more = Math.max(1, Math.ceil(settings.min_speech_ms / WINDOW)) - 1;
  const pause = Math.ceil(settings.min_silence_ms / WINDOW);
  const speech = new RegExp(`#(?:\\.{0,5}#){${more}}(?:\\.{0,${pause - 1}}#)*`, "g");
  const texts: string[] = [];
  const utterances: { start: number; end: number }[] = [];
  const utter = (start: number, end: number): void => {
    texts.push(`utterance ${start} ${end}`);
    utterances.push({ start, end });
  };
  for (const match of text.matchAll(speech)) {
    const active = match.index * WINDOW;
    const inactive = active + match[0].length * WINDOW;
    const decidedAt = inactive + pause * WINDOW;
    const ended = decidedAt <= windows.length * WINDOW;
    let open = Math.max(0, utterances.at(-1)?.end ?? 0, active - settings.pre_roll_ms);
    texts.push(`active ${active}`);
    for (;;) {
      const limit = Math.floor((open + settings.max_utterance_ms) / WINDOW);
      if (ended ? limit * WINDOW >= decidedAt : limit > windows.length) break;
      let cut = limit - 1;
      const loudness = (border: number): number => (windows[border - 1]?.level ?? 0) + (windows[border]?.level ?? 0);
      for (let border = cut; border * WINDOW > open && border >= limit - 100; border--) {
        if (loudness(border) < loudness(cut)) cut = border;
      }
      utter(open, cut * WINDOW);
      open = cut * WINDOW;
    }
    texts.push(`inactive ${inactive}`);
    const end = Math.min(inactive + settings.post_roll_ms, ended ? decidedAt : length);
    if (end > open) utter(open, end);
  }
  return { texts, utterances };
}

test("any speech gives the utterances that the protocol page describes", () => {
  fc.assert(
    fc.property(settingsShape, windowsShape, fc.nat(9), (settings, windows, rest) => {
      const harness = new EndpointerHarness(settings);
      for (const { speech, level } of windows) {
        harness.position += WINDOW;
        harness.endpointer.decide(speech, level, harness.emit);
      }
      harness.end(rest);
      const wanted = expected(settings, windows, windows.length * WINDOW + rest);
      expect(harness.texts).toEqual(wanted.texts);
    }),
    { numRuns: 400 },
  );
});

test("with any flushes, utterances are in order, not too long, and begin at or after what was needed", () => {
  fc.assert(
    fc.property(
      settingsShape,
      windowsShape,
      fc.uniqueArray(fc.nat(3000), { maxLength: 6 }),
      fc.nat(9),
      (settings, windows, flushes, rest) => {
        const harness = new EndpointerHarness(settings);
        const { endpointer, utterances } = harness;
        const kept =
          settings.pre_roll_ms + Math.max(settings.max_utterance_ms, longestBeginningMs(settings, WINDOW)) + WINDOW;
        let needed = 0;
        const check = (act: () => void): void => {
          const before = utterances.length;
          act();
          for (const { start } of utterances.slice(before)) expect(start).toBeGreaterThanOrEqual(needed);
          expect(endpointer.needed).toBeGreaterThanOrEqual(needed);
          needed = endpointer.needed;
          expect(needed).toBeLessThanOrEqual(harness.position + WINDOW);
          expect(harness.position - needed).toBeLessThanOrEqual(kept);
          if (endpointer.open !== undefined) expect(endpointer.open).toBe(needed);
        };
        for (const [i, { speech, level }] of windows.entries()) {
          if (flushes.includes(i)) check(() => harness.flush((i * 7) % WINDOW));
          harness.position += WINDOW;
          check(() => endpointer.decide(speech, level, harness.emit));
        }
        check(() => harness.end(rest));
        for (const [i, { start, end }] of utterances.entries()) {
          expect(end).toBeGreaterThan(start);
          // A flush ends an utterance up to one window behind what has been decided.
          expect(end - start).toBeLessThanOrEqual(settings.max_utterance_ms + WINDOW - 1);
          expect(start).toBeGreaterThanOrEqual(utterances[i - 1]?.end ?? 0);
          expect(end).toBeLessThanOrEqual(harness.position + rest);
        }
        // Speech events alternate and do not go back.
        const events = harness.texts.filter((event) => !event.startsWith("utterance")).map((event) => event.split(" "));
        for (const [i, [type, position]] of events.entries()) {
          expect(type).toBe(i % 2 === 0 ? "active" : "inactive");
          expect(Number(position)).toBeGreaterThanOrEqual(Number(events[i - 1]?.[1] ?? 0));
        }
        expect(events.length % 2).toBe(0);
      },
    ),
    { numRuns: 400 },
  );
});
