import { expect, test } from "bun:test";

import fc from "fast-check";

import { BlockSampler } from "../../src/audio/block-sampler.ts";
import { cut } from "../support/pcm.ts";

/** The blocks that these messages give, at most `most`. */
function blocksOf(messages: Iterable<Uint8Array>, blockBytes: number, stride: number, most = Infinity): string[] {
  const blocks: string[] = [];
  const sampler = new BlockSampler(blockBytes, stride, (bytes, offset) => {
    blocks.push(Buffer.from(bytes.slice(offset, offset + blockBytes)).toString("hex"));
    return blocks.length >= most;
  });
  for (const message of messages) if (blocks.length < most) sampler.push(message.slice(), 0, message.length);
  return blocks;
}

test("blocks come at regular places, and an incomplete one does not come", () => {
  const bytes = Uint8Array.from({ length: 23 }, (_, i) => i);
  expect(blocksOf([bytes], 3, 10)).toEqual(["000102", "0a0b0c", "141516"]);
  expect(blocksOf([bytes.subarray(0, 22)], 3, 10)).toEqual(["000102", "0a0b0c"]);
  expect(blocksOf([bytes.subarray(0, 7)], 3, 3)).toEqual(["000102", "030405"]);
});

test("only the bytes between start and end count", () => {
  const blocks: number[] = [];
  const sampler = new BlockSampler(2, 2, (bytes, offset) => blocks.push(bytes[offset] ?? -1) < 0);
  sampler.push(Uint8Array.of(9, 1, 2, 3, 9), 1, 4);
  sampler.push(Uint8Array.of(9, 4, 9), 1, 2);
  expect(blocks).toEqual([1, 3]);
});

test("blocks do not depend on how the bytes are cut", () => {
  const bytes = Uint8Array.from({ length: 500 }, (_, i) => (i * 37) % 251);
  const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(
      sizes,
      fc.integer({ min: 1, max: 40 }),
      fc.nat(60),
      fc.integer({ min: 1, max: 9 }),
      (cuts, block, gap, most) => {
        const whole = blocksOf([bytes], block, block + gap, most);
        expect(blocksOf(cut(bytes, cuts), block, block + gap, most)).toEqual(whole);
      },
    ),
  );
});
