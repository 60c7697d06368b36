import { expect, test } from "bun:test";

import fc from "fast-check";

import { UnsentBytes } from "../../../src/server/tcp/unsent-bytes.ts";

test("bytes leave whole and in order, however few of them the kernel takes at a time", () => {
  const messages = fc.array(fc.oneof(fc.string(), fc.uint8Array({ maxLength: 40 })), { maxLength: 20 });
  const takes = fc.array(fc.integer({ min: -1, max: 30 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(messages, takes, fc.array(fc.boolean(), { minLength: 1 }), (sent, taken, flushes) => {
      const unsent = new UnsentBytes();
      const left: number[] = [];
      let writes = 0;
      const write = (bytes: Uint8Array): number => {
        const taking = Math.min(bytes.length, taken[writes++ % taken.length] ?? 0);
        left.push(...bytes.subarray(0, Math.max(0, taking)));
        return taking;
      };
      const all: number[] = [];
      for (const [n, message] of sent.entries()) {
        const bytes = Buffer.from(message);
        all.push(...bytes);
        unsent.send(message, write);
        // Its memory may be used for something else now.
        if (typeof message !== "string") message.fill(0);
        if (flushes[n % flushes.length] === true) unsent.flush(write);
        expect(left.length + unsent.size).toBe(all.length);
      }
      unsent.flush((bytes) => {
        left.push(...bytes);
        return bytes.length;
      });
      expect(left).toEqual(all);
      expect(unsent.size).toBe(0);
    }),
  );
});
