import { expect, test } from "bun:test";

import fc from "fast-check";

import { ByteBlocks } from "../../../src/dialects/files/byte-blocks.ts";

test("bytes come back in order, whatever their cut, in memory of at most twice their number", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 80 }), (pieces) => {
      const blocks = new ByteBlocks();
      for (const piece of pieces) blocks.push(piece);
      const whole = Buffer.concat(pieces);
      expect(blocks.length).toBe(whole.length);
      expect(Buffer.concat(blocks.parts()).equals(whole)).toBe(true);
      const held = blocks.parts().reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
      expect(held).toBeLessThanOrEqual(2 * whole.length + 1_024);
    }),
  );
});

test("pieces of one byte are joined, and what they came in is not kept", () => {
  const blocks = new ByteBlocks();
  const received = new Uint8Array(1_000_000).fill(7);
  for (let at = 0; at < received.length; at += 1) blocks.push(received.subarray(at, at + 1));
  received.fill(0);
  expect(blocks.parts().length).toBeLessThan(30);
  expect(blocks.parts().every((part) => part.every((byte) => byte === 7))).toBe(true);
});
