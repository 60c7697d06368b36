import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { ToldUtterances } from "../../src/dialects/utterances.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";

const final = (start_time: number, end_time: number, channel = 0): ServerEvent => {
  return { type: "segment", start_time, end_time, is_final: true, channel, text: "a" };
};
const interim = (channel = 0): ServerEvent => {
  return { type: "segment", start_time: 0, end_time: 1, is_final: false, channel, text: "a" };
};
const active = (time: number, channel = 0): ServerEvent => ({ type: "active", time, channel });
const inactive = (time: number, channel = 0): ServerEvent => ({ type: "inactive", time, channel });
const flushed = (time: number, channel = 0): ServerEvent => ({ type: "flushed", time, channel });
const failed = (start_time: number, channel = 0): ServerEvent => {
  const code = "inference_failed";
  return { type: "error", code, message: "no", fatal: false, channel, start_time, end_time: start_time + 1 };
};
const stopped: ServerEvent = { type: "stopped", reason: "stop", channels: [], trailing_bytes: 0, skipped_bytes: 0 };

/** What is told of each event, in short: `final 0-1 speech flush`, `flushed`, or the type of an event. */
function told(utterances: ToldUtterances, ...events: readonly ServerEvent[]): string[][] {
  return events.map((event) =>
    utterances.tell(event).map((each) => {
      if (each.kind === "other") return each.event.type;
      if (each.kind === "flushed") return `flushed ${each.channel}`;
      const { start_time, end_time } = each.segment;
      const marks = [each.endsSpeech ? " speech" : "", each.closesFlush ? " flush" : ""].join("");
      return `final ${start_time}-${end_time}${marks}`;
    }),
  );
}

describe("a final ends speech", () => {
  test("when speech has ended within it", () => {
    expect(told(new ToldUtterances(), active(0), inactive(1), final(0, 1.1))).toEqual([
      ["active"],
      ["inactive"],
      ["final 0-1.1 speech"],
    ]);
  });

  test("not when it is a part of an utterance that was too long; its last part does", () => {
    const [, cut, , rest] = told(new ToldUtterances(), active(0), final(0, 30), inactive(40), final(30, 40));
    expect([cut, rest]).toEqual([["final 0-30"], ["final 30-40 speech"]]);
  });

  test("once for each end of speech, although speech events run ahead of results", () => {
    const events = [inactive(1), active(2), inactive(3), final(0, 1), final(2, 3), final(3, 4)];
    expect(told(new ToldUtterances(), ...events).slice(3)).toEqual([
      ["final 0-1 speech"],
      ["final 2-3 speech"],
      ["final 3-4"],
    ]);
  });

  test("by the events of its own channel, and not by one of an utterance without a result", () => {
    const events = [inactive(1, 1), inactive(2), final(3, 4), final(0, 1), final(0, 1, 1)];
    expect(told(new ToldUtterances(), ...events).slice(2)).toEqual([
      ["final 3-4"],
      ["final 0-1"],
      ["final 0-1 speech"],
    ]);
  });
});

describe("while a flush has no answer", () => {
  test("a final is held until the next event of its channel, and is marked when that is flushed", () => {
    const utterances = new ToldUtterances();
    utterances.flushing();
    expect(told(utterances, final(0, 1), final(1, 2), flushed(2), final(2, 3))).toEqual([
      [],
      ["final 0-1"],
      ["final 1-2 flush"],
      ["final 2-3"],
    ]);
  });

  test("a flush without any final is told by itself", () => {
    const utterances = new ToldUtterances();
    utterances.flushing();
    expect(told(utterances, flushed(2), final(2, 3))).toEqual([["flushed 0"], ["final 2-3"]]);
  });

  test("channels are held apart, and each answers each flush", () => {
    const utterances = new ToldUtterances();
    utterances.flushing();
    utterances.flushing();
    const events = [final(0, 1), final(0, 1, 1), flushed(1, 1), flushed(1), flushed(1), final(1, 2, 1), flushed(2, 1)];
    expect(told(utterances, ...events)).toEqual([
      [],
      [],
      ["final 0-1 flush"],
      ["final 0-1 flush"],
      ["flushed 0"],
      [],
      ["final 1-2 flush"],
    ]);
  });

  test("an interim, a speech event or the end of the stream lets the final go", () => {
    for (const next of [interim(), active(1), inactive(1), stopped]) {
      const utterances = new ToldUtterances();
      utterances.flushing();
      expect(told(utterances, final(0, 1), next)).toEqual([[], ["final 0-1", next.type]]);
    }
  });
});

test("a model that returns nothing for hours costs a bounded memory", () => {
  const utterances = new ToldUtterances();
  for (let n = 1; n <= 2_000; n++) utterances.tell(inactive(n));
  // The first of the last 1024.
  expect(told(utterances, final(976, 976.5), final(976.5, 977))).toEqual([
    ["final 976-976.5"],
    ["final 976.5-977 speech"],
  ]);
});

test("each final is told once, in the order of its channel, and each answer to a flush once, whatever comes between", () => {
  const kinds = fc.constantFrom("final", "interim", "active", "inactive", "flush", "flushed", "error");
  const steps = fc.array(fc.tuple(kinds, fc.integer({ min: 0, max: 1 })), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (all) => {
      const utterances = new ToldUtterances();
      const found: [number[], number[]] = [[], []];
      const answers: [number, number] = [0, 0];
      const sent: [number[], number[]] = [[], []];
      const due: [number, number] = [0, 0];
      /** The last event of each channel. */
      const last: [ServerEvent?, ServerEvent?] = [];
      let flushes = 0;
      const tell = (event: ServerEvent): void => {
        for (const each of utterances.tell(event)) {
          if (each.kind === "flushed") answers[each.channel as 0 | 1] += 1;
          if (each.kind !== "final") continue;
          const channel = each.segment.channel as 0 | 1;
          found[channel].push(each.segment.start_time);
          if (!each.closesFlush) continue;
          answers[channel] += 1;
          // Nothing came between it and the answer.
          expect([event.type, last[channel]]).toEqual(["flushed", each.segment]);
        }
      };
      for (const [n, [kind, which]] of all.entries()) {
        const channel = which as 0 | 1;
        if (kind === "flush") {
          flushes += 1;
          utterances.flushing();
          continue;
        }
        // A channel answers what has been asked for.
        if (kind === "flushed" && due[channel] === flushes) continue;
        if (kind === "flushed") due[channel] += 1;
        if (kind === "final") sent[channel].push(n);
        const event = {
          final: final(n, n + 1, channel),
          interim: interim(channel),
          active: active(n, channel),
          inactive: inactive(n, channel),
          flushed: flushed(n, channel),
          error: failed(n, channel),
        }[kind];
        tell(event);
        last[channel] = event;
      }
      tell(stopped);
      expect([found, answers]).toEqual([sent, due]);
    }),
  );
});
