import { expect, test } from "bun:test";

import { SignalRepeats } from "../../../src/commands/terminal/signal-repeats.ts";

test("a signal that comes together with the first is a copy of it, a later one is a second", () => {
  let now = 1_000;
  const repeats = new SignalRepeats({ now: () => now });
  expect([repeats.receive(), repeats.receive()]).toEqual(["first", "copy"]);
  now += 149;
  expect(repeats.receive()).toBe("copy");
  now += 1;
  expect(repeats.receive()).toBe("second");
});
