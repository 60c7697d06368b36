import { expect, test } from "bun:test";

import { RepeatedEvents } from "../../src/client/repeated-events.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";

const final = (start_time: number, channel = 0) =>
  ({ type: "segment", start_time, end_time: start_time + 1, is_final: true, channel }) as ServerEvent;
const interim = (start_time: number) => ({ ...final(start_time), is_final: false }) as ServerEvent;
const flushed = (time: number, channel: number): ServerEvent => ({ type: "flushed", time, channel });

/** The events that are new, as the client's user gets them. */
function taken(repeated: RepeatedEvents, ...events: readonly ServerEvent[]): ServerEvent[] {
  return events.filter((event) => !repeated.isRepeated(event));
}

test("after a resumption the events since the checkpoint are dropped once, and later ones are new", () => {
  const repeated = new RepeatedEvents();
  repeated.begin(1);
  taken(repeated, final(0));
  repeated.checkpoint();
  const later = [final(1), { type: "active", time: 2, channel: 0 } as ServerEvent, final(2)];
  expect(taken(repeated, ...later)).toEqual(later);
  repeated.resume();
  expect(taken(repeated, ...later, final(3))).toEqual([final(3)]);
  // Lost again, before another checkpoint.
  repeated.resume();
  expect(taken(repeated, ...later, final(3), final(4))).toEqual([final(4)]);
});

test("a checkpoint while events come again keeps those that are still to come", () => {
  const repeated = new RepeatedEvents();
  repeated.begin(1);
  taken(repeated, final(0), final(1), final(2));
  repeated.resume();
  taken(repeated, final(0));
  repeated.checkpoint();
  repeated.resume();
  expect(taken(repeated, final(1), final(2), final(3))).toEqual([final(3)]);
});

test("interims of utterances whose final has come are dropped, others are not", () => {
  const repeated = new RepeatedEvents();
  repeated.begin(1);
  taken(repeated, final(3));
  repeated.resume();
  expect(taken(repeated, interim(2), interim(3), interim(4))).toEqual([interim(4)]);
});

test("a flush counts as answered when every channel has answered, and is then not sent again", () => {
  const repeated = new RepeatedEvents();
  repeated.begin(2);
  repeated.flushed();
  repeated.flushed();
  taken(repeated, flushed(1, 0), flushed(1, 1), flushed(2, 0));
  expect(repeated.checkpoint()).toBe(1);
  repeated.resume();
  // The second one is sent again: what channel 0 has answered comes again.
  expect(taken(repeated, flushed(2, 0), flushed(2, 1))).toEqual([flushed(2, 1)]);
  expect(repeated.checkpoint()).toBe(1);
});

test("an error in the place of a final counts as that final", () => {
  const repeated = new RepeatedEvents();
  repeated.begin(1);
  taken(repeated, final(1));
  repeated.resume();
  const error = {
    type: "error",
    code: "x",
    message: "",
    fatal: false,
    channel: 0,
    start_time: 1,
    end_time: 2,
  } as const;
  expect(taken(repeated, error)).toEqual([]);
});
