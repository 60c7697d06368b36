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

/** An endpointer, and what it has said as short texts: "active 10", "utterance 0 50". */
class Listener {
  readonly said: string[] = [];
  readonly utterances: { readonly start: number; readonly end: number }[] = [];
  readonly endpointer: Endpointer;
  clock = 0;

  constructor(settings: Partial<VadSettings> = {}) {
    this.endpointer = new Endpointer({ ...SETTINGS, ...settings }, RATE, WINDOW);
  }

  readonly emit = (transition: Transition): void => {
    if (transition.type === "utterance") {
      this.utterances.push(transition);
      this.said.push(`utterance ${transition.start} ${transition.end}`);
    } else this.said.push(`${transition.type} ${transition.position}`);
  };

  /** `#` is a window of speech, `.` one without; a digit is one of speech at that level; `|` is a flush. */
  hear(windows: string): this {
    for (const window of windows) {
      if (window === "|") this.flush();
      else {
        this.clock += WINDOW;
        const level = /\d/.test(window) ? Number(window) : window === "." ? -60 : -20;
        this.endpointer.decide(window !== ".", level, this.emit);
      }
    }
    return this;
  }

  /** @param extra samples beyond the last window, which no window has decided yet */
  flush(extra = 0): this {
    this.endpointer.flush(this.clock + extra, this.emit);
    return this;
  }

  end(extra = 0): this {
    this.endpointer.end(this.clock + extra, this.emit);
    return this;
  }
}

function said(windows: string, settings: Partial<VadSettings> = {}): string[] {
  return new Listener(settings).hear(windows).said;
}

test("active is the begin of the first speech window, and is said once min_speech is reached", () => {
  const listener = new Listener().hear("....##");
  expect(listener.said).toEqual([]);
  expect(listener.hear("#").said).toEqual(["active 40"]);
});

test("without min_speech the first speech window is enough", () => {
  expect(said("..#", { min_speech_ms: 0 })).toEqual(["active 20"]);
});

test("speech shorter than min_speech gives no event, and what follows a pause begins anew", () => {
  expect(said("..##......##......##....")).toEqual([]);
  // Pauses of up to 50 ms do not end a beginning.
  expect(said("..##.....#")).toEqual(["active 20"]);
  expect(said("..##......#...........")).toEqual([]);
  expect(said("..##......###")).toEqual(["active 100"]);
});

test("inactive is the end of the last speech window, said once min_silence is over", () => {
  const listener = new Listener().hear("..#####.........");
  expect(listener.said).toEqual(["active 20"]);
  expect(listener.hear(".").said).toEqual(["active 20", "inactive 70", "utterance 0 110"]);
});

test("a pause shorter than min_silence does not end an utterance", () => {
  expect(said("...###.........#..........")).toEqual(["active 30", "inactive 160", "utterance 10 200"]);
});

test("a min_silence that is no whole number of windows is rounded up", () => {
  const settings = { min_silence_ms: 95, post_roll_ms: 95 };
  expect(said(`###${".".repeat(9)}`, settings)).toEqual(["active 0"]);
  expect(said(`###${".".repeat(10)}`, settings)).toEqual(["active 0", "inactive 30", "utterance 0 125"]);
});

test("a segment reaches back by pre_roll, but not before the stream or into the segment before it", () => {
  expect(said("#####..........", { pre_roll_ms: 500 })).toEqual(["active 0", "inactive 50", "utterance 0 90"]);
  expect(said("..###..........###..........", { pre_roll_ms: 70, post_roll_ms: 100 })).toEqual([
    "active 20",
    "inactive 50",
    "utterance 0 150",
    "active 150",
    "inactive 180",
    "utterance 150 280",
  ]);
});

test("a segment reaches on by post_roll, but not beyond the clock", () => {
  expect(new Listener({ post_roll_ms: 100 }).hear("###..").end(7).said).toEqual([
    "active 0",
    "inactive 30",
    "utterance 0 57",
  ]);
  expect(new Listener({ post_roll_ms: 0 }).hear("###..").end(7).said).toEqual([
    "active 0",
    "inactive 30",
    "utterance 0 30",
  ]);
});

test("the stream's end ends an open utterance and says nothing about speech that was too short", () => {
  expect(new Listener().hear("..####").end(3).said).toEqual(["active 20", "inactive 60", "utterance 0 63"]);
  expect(new Listener().hear("..##").end().said).toEqual([]);
  expect(new Listener().end().said).toEqual([]);
});

test("at max_utterance the segment ends at the quietest border of its last second, and the next begins on that sample", () => {
  // 1200 ms of speech; the border between 540 and 550 is the quietest within 200 .. 1200.
  const levels = "9".repeat(10) + "11" + "9".repeat(42) + "22" + "9".repeat(64);
  const listener = new Listener({ max_utterance_ms: 1200, pre_roll_ms: 0 }).hear(levels);
  expect(listener.said).toEqual(["active 0", "utterance 0 550"]);
  listener.hear("..........");
  expect(listener.said.slice(2)).toEqual(["inactive 1200", "utterance 550 1240"]);
});

test("of equally quiet borders the latest is taken, and a segment is never longer than max_utterance", () => {
  expect(said("5".repeat(100), { pre_roll_ms: 0 })).toEqual(["active 0", "utterance 0 990"]);
  // With a pre-roll that is no whole number of windows the limit is not on a border.
  const settings = { pre_roll_ms: 15, max_utterance_ms: 1200 };
  expect(said(`...${"5".repeat(119)}`, settings)).toEqual(["active 30", "utterance 15 1200"]);
});

test("a cut in the pause behind the last word leaves no segment when nothing is left to say", () => {
  const listener = new Listener({ pre_roll_ms: 0, post_roll_ms: 0, min_silence_ms: 300 });
  listener.hear(`${"5".repeat(85)}${".".repeat(29)}`);
  expect(listener.said).toEqual(["active 0", "utterance 0 990"]);
  expect(listener.endpointer.open).toBe(990);
  listener.hear(".");
  expect(listener.said).toEqual(["active 0", "utterance 0 990", "inactive 850"]);
  expect(listener.endpointer.open).toBeUndefined();
  // The next utterance does not reach into the one that was cut.
  expect(listener.hear("###..............................").said.slice(3)).toEqual([
    "active 1150",
    "inactive 1180",
    "utterance 1150 1180",
  ]);
});

test("speech that took longer than max_utterance to be speech is cut into segments that are not too long", () => {
  const settings = { min_speech_ms: 2000, max_utterance_ms: 1000, pre_roll_ms: 100, min_silence_ms: 1000 };
  const listener = new Listener(settings).hear(`${".".repeat(30)}${"#.....".repeat(200)}`);
  expect(listener.said[0]).toBe("active 300");
  expect(listener.utterances[0]?.start).toBe(200);
  for (const [i, { start, end }] of listener.utterances.entries()) {
    expect(end - start).toBeLessThanOrEqual(1000);
    expect(start).toBe(listener.utterances[i - 1]?.end ?? 200);
  }
  expect(listener.clock - (listener.endpointer.open ?? 0)).toBeLessThanOrEqual(1000);
});

test("a beginning never takes longer than it is said to", () => {
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
      let clock = 0;
      let active: number | undefined;
      while (active === undefined) {
        for (let i = 0; i <= gap && active === undefined; i++) {
          clock += window;
          endpointer.decide(i === 0, 0, () => (active = clock));
        }
      }
      expect((active * 1000) / rate).toBeLessThanOrEqual(
        longestBeginningMs({ ...SETTINGS, min_speech_ms }, (window * 1000) / rate),
      );
    }
  }
});

test("flush ends an open utterance at the clock, and speech that goes on is a new active there", () => {
  const listener = new Listener().hear("..#####").flush(4);
  expect(listener.said).toEqual(["active 20", "inactive 74", "utterance 0 74"]);
  listener.hear("###..........");
  expect(listener.said.slice(3)).toEqual(["active 74", "inactive 100", "utterance 74 140"]);
});

test("flush in the pause behind speech ends the utterance there, post-roll or not", () => {
  expect(said("..###.....|")).toEqual(["active 20", "inactive 100", "utterance 0 100"]);
});

test("flush in silence and before min_speech changes nothing", () => {
  expect(said("..|..##|#....|")).toEqual(["active 40", "inactive 110", "utterance 20 110"]);
  expect(said("|||")).toEqual([]);
  expect(said("..###||")).toEqual(["active 20", "inactive 50", "utterance 0 50"]);
});

test("flush inside a window whose speech then ends gives an utterance of what is left", () => {
  const listener = new Listener({ min_speech_ms: 0, post_roll_ms: 0 }).hear("..##").flush(9).hear("#..........");
  expect(listener.said).toEqual([
    "active 20",
    "inactive 49",
    "utterance 0 49",
    "active 49",
    "inactive 50",
    "utterance 49 50",
  ]);
});

test("flush right behind a cut ends what is left of the utterance", () => {
  const listener = new Listener({ pre_roll_ms: 0 }).hear("5".repeat(100)).flush();
  expect(listener.said).toEqual(["active 0", "utterance 0 990", "inactive 1000", "utterance 990 1000"]);
});

const settingsShape = fc.record({
  threshold_db: fc.constant(10),
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
  clock: number,
): { said: string[]; utterances: { start: number; end: number }[] } {
  const text = windows.map(({ speech }) => (speech ? "#" : ".")).join("");
  const more = Math.max(1, Math.ceil(settings.min_speech_ms / WINDOW)) - 1;
  const pause = Math.ceil(settings.min_silence_ms / WINDOW);
  const speech = new RegExp(`#(?:\\.{0,5}#){${more}}(?:\\.{0,${pause - 1}}#)*`, "g");
  const said: string[] = [];
  const utterances: { start: number; end: number }[] = [];
  const utter = (start: number, end: number): void => {
    said.push(`utterance ${start} ${end}`);
    utterances.push({ start, end });
  };
  for (const match of text.matchAll(speech)) {
    const active = match.index * WINDOW;
    const inactive = active + match[0].length * WINDOW;
    const decidedAt = inactive + pause * WINDOW;
    const ended = decidedAt <= windows.length * WINDOW;
    let open = Math.max(0, utterances.at(-1)?.end ?? 0, active - settings.pre_roll_ms);
    said.push(`active ${active}`);
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
    said.push(`inactive ${inactive}`);
    const end = Math.min(inactive + settings.post_roll_ms, ended ? decidedAt : clock);
    if (end > open) utter(open, end);
  }
  return { said, utterances };
}

test("any speech gives the utterances that the protocol page describes", () => {
  fc.assert(
    fc.property(settingsShape, windowsShape, fc.nat(9), (settings, windows, rest) => {
      const listener = new Listener(settings);
      for (const { speech, level } of windows) {
        listener.clock += WINDOW;
        listener.endpointer.decide(speech, level, listener.emit);
      }
      listener.end(rest);
      const wanted = expected(settings, windows, windows.length * WINDOW + rest);
      expect(listener.said).toEqual(wanted.said);
    }),
    { numRuns: 400 },
  );
});

test("with flushes anywhere: utterances are in order, apart, not too long, and never reach behind what was still needed", () => {
  fc.assert(
    fc.property(
      settingsShape,
      windowsShape,
      fc.uniqueArray(fc.nat(3000), { maxLength: 6 }),
      fc.nat(9),
      (settings, windows, flushes, rest) => {
        const listener = new Listener(settings);
        const { endpointer, utterances } = listener;
        const kept =
          settings.pre_roll_ms + Math.max(settings.max_utterance_ms, longestBeginningMs(settings, WINDOW)) + WINDOW;
        let needed = 0;
        const check = (act: () => void): void => {
          const before = utterances.length;
          act();
          for (const { start } of utterances.slice(before)) expect(start).toBeGreaterThanOrEqual(needed);
          expect(endpointer.needed).toBeGreaterThanOrEqual(needed);
          needed = endpointer.needed;
          expect(needed).toBeLessThanOrEqual(listener.clock + WINDOW);
          expect(listener.clock - needed).toBeLessThanOrEqual(kept);
          if (endpointer.open !== undefined) expect(endpointer.open).toBe(needed);
        };
        for (const [i, { speech, level }] of windows.entries()) {
          if (flushes.includes(i)) check(() => listener.flush((i * 7) % WINDOW));
          listener.clock += WINDOW;
          check(() => endpointer.decide(speech, level, listener.emit));
        }
        check(() => listener.end(rest));
        for (const [i, { start, end }] of utterances.entries()) {
          expect(end).toBeGreaterThan(start);
          // A flush ends an utterance up to one window behind what has been decided.
          expect(end - start).toBeLessThanOrEqual(settings.max_utterance_ms + WINDOW - 1);
          expect(start).toBeGreaterThanOrEqual(utterances[i - 1]?.end ?? 0);
          expect(end).toBeLessThanOrEqual(listener.clock + rest);
        }
        // Speech events alternate and do not go back.
        const events = listener.said.filter((event) => !event.startsWith("utterance")).map((event) => event.split(" "));
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
