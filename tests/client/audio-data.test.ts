import { describe, expect, test } from "bun:test";

import { type AudioPieces, bytesOf, cut, MAX_PIECE_BYTES } from "../../src/client/audio-data.ts";
import { rejection } from "../support/wire.ts";

const BYTES = Uint8Array.from({ length: 10 }, (_, index) => index);

async function lengths(pieces: AudioPieces, bytes?: number): Promise<number[]> {
  const all: number[] = [];
  const whole: number[] = [];
  for await (const piece of cut(pieces, bytes)) {
    all.push(piece.length);
    whole.push(...piece);
  }
  expect(whole.slice(0, 10)).toEqual([...BYTES].slice(0, whole.length));
  return all;
}

describe("audio", () => {
  test("is any array of numbers, or its memory, and only the part that the array shows", () => {
    expect(bytesOf(Int16Array.of(0x0201, 0x0403))).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(bytesOf(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toEqual(Uint8Array.of(2, 3));
    expect(bytesOf(new DataView(Uint8Array.of(1, 2, 3).buffer, 2))).toEqual(Uint8Array.of(3));
    expect(bytesOf(Uint8Array.of(1, 2).buffer)).toEqual(Uint8Array.of(1, 2));
    expect(bytesOf(Buffer.from([5, 6]))).toEqual(Uint8Array.of(5, 6));
  });

  test("in shared memory is copied, since a WebSocket takes none", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(7);
    const bytes = bytesOf(shared);
    expect(bytes).toEqual(Uint8Array.of(7, 7));
    expect(bytes.buffer).toBeInstanceOf(ArrayBuffer);
  });

  test.each([
    ["text", "a string"],
    [undefined, "undefined"],
    [[1, 2], "an object of Array"],
  ])("is not %p", (value, found) => {
    expect(() => bytesOf(value as unknown as ArrayBuffer)).toThrow(
      `audio: found ${found}; allowed: an ArrayBuffer, or an array of its numbers`,
    );
  });
});

describe("a source", () => {
  test("is cut into pieces of a size, whatever its own pieces are", async () => {
    for (const size of [1, 3, 10, 100]) {
      for (const own of [1, 4, 7, 10]) {
        const pieces = Array.from({ length: Math.ceil(10 / own) }, (_, at) => BYTES.slice(at * own, (at + 1) * own));
        const expected = Array.from({ length: Math.ceil(10 / size) }, (_, at) => Math.min(size, 10 - at * size));
        expect(await lengths(pieces, size)).toEqual(expected);
      }
    }
  });

  test("may be a blob, a stream, or any iterable, and its pieces are not too large", async () => {
    const large = new Uint8Array(2 * MAX_PIECE_BYTES + 1);
    expect(await lengths(new Blob([BYTES]))).toEqual([10]);
    expect(await lengths(new Blob([BYTES]).stream())).toEqual([10]);
    expect(await lengths([BYTES.buffer])).toEqual([10]);
    const sizes: number[] = [];
    for await (const { length } of cut([large])) sizes.push(length);
    expect(sizes).toEqual([MAX_PIECE_BYTES, MAX_PIECE_BYTES, 1]);
  });

  test("is given up when its reader leaves", async () => {
    const ended: string[] = [];
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(BYTES),
      cancel: () => void ended.push("stream"),
    });
    const generator = (function* () {
      try {
        for (;;) yield BYTES;
      } finally {
        ended.push("generator");
      }
    })();
    for (const source of [stream, generator]) for await (const _ of cut(source)) break;
    expect(ended).toEqual(["stream", "generator"]);
  });

  test.each([["text"], [5], [BYTES], [{}]])("is not %p", async (source) => {
    const reading = cut(source as unknown as AudioPieces).next();
    expect(String(await rejection(reading))).toMatch(/^TypeError: source: found /);
  });
});
