import { expect, test } from "bun:test";

import { Batches, type Planes } from "../../../src/client/browser/batches.ts";
import { MicrophoneError } from "../../../src/client/browser/microphone-error.ts";
import { rejection } from "../../support/wire.ts";

const batch = (samples: number): Planes => [new Float32Array(samples)];

async function read(batches: Batches): Promise<number[]> {
  const lengths: number[] = [];
  for await (const [plane] of batches.read()) lengths.push(plane?.length ?? 0);
  return lengths;
}

test("what is recorded is read in order, also what waits at the end", async () => {
  const batches = new Batches(100);
  const reading = read(batches);
  await Bun.sleep(0);
  batches.push(batch(1));
  await Bun.sleep(0);
  for (const samples of [2, 3]) batches.push(batch(samples));
  batches.end();
  batches.push(batch(4));
  expect(await reading).toEqual([1, 2, 3]);
});

test("what is not read for too long fails, after what waits has been read", async () => {
  const batches = new Batches(100);
  for (let count = 0; count < 20; count++) batches.push(batch(10));
  const lengths: number[] = [];
  const reading = (async () => {
    for await (const [plane] of batches.read()) lengths.push(plane!.length);
  })();
  expect(await rejection(reading)).toMatchObject({ name: "MicrophoneError", code: "overrun" });
  expect(lengths).toHaveLength(11);
});

test("a microphone that goes away ends with its error", async () => {
  const batches = new Batches(100);
  const reading = read(batches);
  batches.end(new MicrophoneError("gone", "The microphone is gone."));
  expect(await rejection(reading)).toMatchObject({ code: "gone" });
});
