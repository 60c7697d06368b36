import { expect, test } from "bun:test";

import fc from "fast-check";

import { WavStart } from "../../src/dialects/wav-start.ts";
import { encode, noise, wav } from "../support/audio.ts";
import { S16_MONO } from "../support/requests.ts";

const FILE = wav(S16_MONO, encode("s16", noise(0.01)));

test("the format is that of the header, and everything so far is given back, however it is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: FILE.length - 1 })), (cuts) => {
      const start = new WavStart();
      expect(start.empty).toBeTrue();
      const borders = [0, ...cuts.sort((a, b) => a - b), FILE.length];
      for (let i = 1; i < borders.length; i++) {
        const found = start.push(FILE.subarray(borders[i - 1], borders[i]));
        if (found.status === "more") continue;
        if (found.status === "error") throw new Error(found.reason);
        expect<object>(found.format).toEqual({ ...S16_MONO, encoding: "pcm" });
        expect(Buffer.concat(found.audio).equals(FILE.subarray(0, borders[i]))).toBeTrue();
        return;
      }
      throw new Error("no format was found");
    }),
  );
});

test("audio without a header is refused at its first byte that cannot be one", () => {
  const start = new WavStart();
  expect(start.push(new Uint8Array([0x52])).status).toBe("more");
  expect(start.push(new Uint8Array([0])).status).toBe("error");
});

test("a header that would have to be kept for too long is refused", () => {
  const header = Buffer.from(FILE.subarray(0, 12));
  const chunk = Buffer.from("LIST\0\0\0\0");
  chunk.writeUInt32LE(70_000, 4);
  expect(new WavStart().push(Buffer.concat([header, chunk]))).toMatchObject({ status: "error" });
});
