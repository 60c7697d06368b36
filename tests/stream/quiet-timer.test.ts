import { describe, expect, test } from "bun:test";

import { QuietTimer } from "../../src/stream/quiet-timer.ts";

/** Looks every 100 ms after audio at `receivedAt`; returns the times at which the timer has fired. */
function look(timer: QuietTimer, from: number, to: number, receivedAt: number, reading = true): number[] {
  const fired: number[] = [];
  for (let now = from; now <= to; now += 100) if (timer.fires(now, receivedAt, reading)) fired.push(now);
  return fired;
}

describe("the timer of a stream without audio", () => {
  test("fires once, at the second look after its time, and again only after more audio", () => {
    const timer = new QuietTimer(500);
    timer.restart();
    expect(look(timer, 100, 5_000, 20)).toEqual([700]);
    timer.restart();
    expect(look(timer, 5_100, 9_000, 5_000)).toEqual([5_600]);
  });

  test("does not run before the first audio", () => {
    expect(look(new QuietTimer(200), 0, 5_000, 0)).toEqual([]);
  });

  test("starts anew with each message of audio", () => {
    const timer = new QuietTimer(200);
    for (let now = 100; now < 5_000; now += 100) {
      timer.restart();
      expect(timer.fires(now, now, true)).toBeFalse();
    }
  });

  test("does not run while nothing is read", () => {
    const timer = new QuietTimer(200);
    timer.restart();
    expect(look(timer, 100, 5_000, 0, false)).toEqual([]);
    expect(look(timer, 5_100, 9_000, 0)).toEqual([5_300]);
  });

  test("does not fire at a look that comes late, since audio may wait to be read", () => {
    const timer = new QuietTimer(200);
    timer.restart();
    expect(timer.fires(100, 0, true)).toBeFalse();
    expect(timer.fires(10_000, 0, true)).toBeFalse();
    timer.restart();
    expect(timer.fires(10_100, 10_001, true)).toBeFalse();
    expect(timer.fires(10_300, 10_001, true)).toBeFalse();
    expect(timer.fires(10_400, 10_001, true)).toBeTrue();
  });
});
