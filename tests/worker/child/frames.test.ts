import { describe, expect, test } from "bun:test";

import {
  encodeFrame,
  FrameError,
  FrameReader,
  MAX_BLOB_BYTES,
  MAX_HEADER_BYTES,
  PREFIX_BYTES,
} from "../../../src/worker/child/frames.ts";
import { freshSeed, seeded } from "../../support/audio.ts";

type Read = readonly [header: unknown, blob: number[]];

function reader(): { readonly frames: Read[]; readonly reader: FrameReader } {
  const frames: Read[] = [];
  return { frames, reader: new FrameReader(({ header, blob }) => frames.push([header, [...blob]])) };
}

function prefix(header: number, blob: number): Uint8Array {
  return new Uint8Array(new Uint32Array([header, blob]).buffer);
}

describe("frames", () => {
  const seed = freshSeed();

  test(`are the same however their bytes are cut (seed ${seed})`, () => {
    const random = seeded(seed);
    const sent = Array.from({ length: 40 }, (_, n): Read => {
      const blob = Array.from({ length: Math.floor(random() * 50) }, () => Math.floor(random() * 256));
      return [{ n, words: "ü€🎤".repeat(Math.floor(random() * 4)) }, blob];
    });
    const bytes = Buffer.concat(
      sent.map(([header, blob]) => encodeFrame(JSON.stringify(header), [Uint8Array.from(blob)])),
    );
    for (let round = 0; round < 20; round++) {
      const { frames, reader: cut } = reader();
      for (let at = 0; at < bytes.length;) {
        const length = 1 + Math.floor(random() * random() * 400);
        cut.push(bytes.subarray(at, at + length));
        at += length;
      }
      expect(frames).toEqual(sent);
      expect(cut.isComplete).toBeTrue();
    }
  });

  test("have all of their blobs, one after the other", () => {
    const { frames, reader: whole } = reader();
    whole.push(encodeFrame("{}", [Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3)]));
    expect(frames).toEqual([[{}, [1, 2, 3]]]);
  });

  test.each([
    [
      "a header beyond its limit",
      prefix(MAX_HEADER_BYTES + 1, 0),
      "header: found 67108865 bytes; allowed: at most 67108864",
    ],
    [
      "a blob beyond its limit",
      prefix(2, MAX_BLOB_BYTES + 1),
      "blob: found 268435457 bytes; allowed: at most 268435456",
    ],
    ["no JSON", Buffer.concat([prefix(2, 0), Buffer.from("{x")]), "header: found bytes that are no JSON"],
    [
      "no UTF-8",
      Buffer.concat([prefix(4, 0), Buffer.from([34, 255, 255, 34])]),
      "header: found bytes that are no JSON",
    ],
    ["no object", Buffer.concat([prefix(2, 0), Buffer.from("[]")]), "header: found JSON that is no object"],
    ["NaN, which some programs write", Buffer.concat([prefix(9, 0), Buffer.from('{"a":NaN}')]), "no JSON"],
  ])("are refused that have %s", (_, bytes, words) => {
    expect(() => reader().reader.push(bytes)).toThrow(FrameError);
    expect(() => reader().reader.push(bytes)).toThrow(words);
  });

  test("that would be too long are not sent", () => {
    expect(() => encodeFrame(" ".repeat(MAX_HEADER_BYTES + 1))).toThrow(RangeError);
  });

  test("that have not come to their end are incomplete", () => {
    const { frames, reader: half } = reader();
    half.push(encodeFrame("{}", [new Uint8Array(10)]).subarray(0, PREFIX_BYTES + 3));
    expect([frames, half.isComplete]).toEqual([[], false]);
  });
});
