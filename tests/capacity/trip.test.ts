import { expect, test } from "bun:test";

import { Trip } from "../../src/capacity/trip.ts";

test("a trip goes on and off with hysteresis, and not for a moment's peak", () => {
  const trip = new Trip({ enter: 10, leave: 5, afterMs: 1_000 });
  const states = [11, 11, 9, 11, 11, 11, 11, 7, 4, 6, 4, 4, 4].map((value, i) => {
    trip.update(value, i * 500);
    return trip.on;
  });
  const [on, off] = [true, false];
  expect(states).toEqual([off, off, off, off, off, on, on, on, on, on, on, on, off]);
});
