import { expect, test } from "bun:test";

import { Pace } from "../../src/client/pace.ts";
import { FORMAT, rejection } from "../support/wire.ts";

test("a piece is 100 ms of whole frames, and is sent when a live source would have recorded it", async () => {
  let now = 1_000;
  const pace = new Pace({ ...FORMAT, channels: 2, bit_depth: 24 }, () => now);
  expect(pace.pieceBytes).toBe(1_600 * 6);
  let sent = false;
  // Behind its time, nothing waits.
  const first = pace.wait().then(() => (sent = true));
  await Bun.sleep(20);
  expect(sent).toBe(false);
  await first;
  pace.sent(pace.pieceBytes);
  now += 1_000;
  for (let piece = 0; piece < 8; piece++) {
    await pace.wait();
    pace.sent(pace.pieceBytes);
  }
});

test("waiting ends with the reason of the signal", async () => {
  const pace = new Pace(FORMAT, () => 0);
  const aborting = new AbortController();
  const waiting = pace.wait(aborting.signal);
  aborting.abort(new Error("enough"));
  expect(await rejection(waiting)).toMatchObject({ message: "enough" });
  expect(await rejection(pace.wait(aborting.signal))).toMatchObject({ message: "enough" });
});
