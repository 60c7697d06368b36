import { expect, test } from "bun:test";

import { READ_PERIOD_MS, readPaced, SLOW_READ_MS } from "../../src/lib/paced-reading.ts";

/** A stream that always has data. @param pull returns the next part; undefined: the end */
function ready(pull: () => Uint8Array | undefined): ReadableStream<Uint8Array> {
  const source = {
    pull(controller: ReadableStreamDefaultController<Uint8Array>) {
      const part = pull();
      if (part === undefined) controller.close();
      else controller.enqueue(part);
    },
  };
  return new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
}

/** Parts of 10 bytes. */
function parts(count: number): ReadableStream<Uint8Array> {
  let left = count;
  return ready(() => (left-- > 0 ? new Uint8Array(10) : undefined));
}

test("timers run between the reads of a stream that always has data", async () => {
  let over = false;
  setTimeout(() => (over = true), 0);
  let reads = 0;
  await readPaced(
    ready(() => (over || reads === 1_000_000 ? undefined : new Uint8Array(1))),
    () => reads++,
    { bytes: Infinity },
  );
  expect(over).toBeTrue();
});

test("reads beyond the limit of bytes are slow until the next period", async () => {
  const pauses: number[] = [];
  let now = 0;
  const pause = async (ms: number) => {
    pauses.push(ms);
    if (pauses.length === 5) now = READ_PERIOD_MS;
  };
  let bytes = 0;
  await readPaced(parts(7), (part) => (bytes += part.length), { bytes: 30, now: () => now, pause });
  expect(pauses).toEqual([0, 0, 0, SLOW_READ_MS, SLOW_READ_MS, 0, 0]);
  expect(bytes).toBe(70);
});

test("the signal ends the reading of a stream that has no end, and closes it", async () => {
  const controller = new AbortController();
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({ cancel: () => resolve() });
  const reading = readPaced(stream, () => {}, { bytes: 1, signal: controller.signal });
  controller.abort();
  await Promise.all([reading, cancelled]);
  const late = new ReadableStream<Uint8Array>();
  await readPaced(late, () => {}, { bytes: 1, signal: controller.signal });
});

test("a stream that breaks ends the reading", async () => {
  const stream = ready(() => {
    throw new Error("broken");
  });
  await readPaced(stream, () => {}, { bytes: 1 });
});
