import { expect, test } from "bun:test";

import { KeptStart } from "../../../src/commands/terminal/kept-start.ts";

/** Pieces in one buffer that is used again, like those of a file. */
async function* pieces(count: number, size: number, closed?: () => void): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  try {
    for (let n = 0; n < count; n++) {
      buffer.fill(n);
      yield buffer;
    }
  } finally {
    closed?.();
  }
}

async function bytesOf(pieces: AsyncIterable<Uint8Array> | undefined): Promise<number[]> {
  const bytes: number[] = [];
  for await (const piece of pieces ?? []) bytes.push(...piece);
  return bytes;
}

test("all of an input can be read again after its start was read", async () => {
  const start = new KeptStart(pieces(5, 2));
  await start.next();
  await start.next();
  expect([...start.bytes]).toEqual([0, 0, 1, 1]);
  expect(await bytesOf(start.replay())).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
});

test("a number of bytes is read, if there are so many", async () => {
  const start = new KeptStart(pieces(5, 2));
  expect(await start.readTo(3)).toBe(true);
  expect([...start.bytes]).toEqual([0, 0, 1, 1]);
  expect(await start.readTo(3)).toBe(true);
  expect(await start.readTo(11)).toBe(false);
  expect(start.bytes).toHaveLength(10);
});

test("more than 1 MiB is not kept", async () => {
  const start = new KeptStart(pieces(20, 65_536));
  await start.readTo(1024 * 1024);
  expect(start.bytes).toHaveLength(1024 * 1024);
  expect(start.replay()).toBeDefined();
  await start.next();
  expect(start.bytes).toHaveLength(0);
  expect(start.replay()).toBeUndefined();
});

test("the input is closed when its reader stops early", async () => {
  let closed = false;
  const start = new KeptStart(pieces(5, 2, () => (closed = true)));
  await start.next();
  await start.next();
  for await (const _ of start.replay() ?? []) break;
  expect(closed).toBe(true);
});
