import { expect, test } from "bun:test";

import { ADTS_FRAMES, findFrames, MPEG_FRAMES, TRANSPORT_PACKETS } from "../../src/audio/frame-headers.ts";
import { frames } from "../support/foreign-audio.ts";

/** Headers, as encoders wrote them, and the bytes of their frames. */
const LENGTHS: readonly [title: string, header: string, bytes: number][] = [
  ["MPEG 1 layer 3, 320 kbit/s, 32 kHz", "fffbe844", 1440],
  ["MPEG 1 layer 3, 128 kbit/s, 44.1 kHz", "fffb9044", 417],
  ["MPEG 1 layer 3, 128 kbit/s, 44.1 kHz, padded", "fffb9244", 418],
  ["MPEG 2 layer 3, 32 kbit/s, 22.05 kHz", "fff340c4", 104],
  ["MPEG 2.5 layer 3, 8 kbit/s, 8 kHz", "ffe318c4", 72],
  ["MPEG 1 layer 2, 384 kbit/s, 48 kHz", "fffde404", 1152],
  ["MPEG 2 layer 2, 64 kbit/s, 24 kHz", "fff58404", 384],
];

test.each(LENGTHS)("a frame of %s is %s, %d bytes", (_, header, bytes) => {
  expect(MPEG_FRAMES.read(Uint8Array.fromHex(header), 0)?.frameBytes).toBe(bytes);
});

test("values that the standards reserve are no headers", () => {
  for (const header of ["fffbf044", "fffb0044", "fffb9c44", "fffb9046"]) {
    expect(MPEG_FRAMES.read(Uint8Array.fromHex(header), 0)).toBeUndefined();
  }
  // A version and a layer that do not exist, layer 1, and a first byte that is no sync.
  for (const header of ["ffeb9044", "fff99044", "ffff9044", "fefb9044"]) {
    expect(MPEG_FRAMES.begins(Uint8Array.fromHex(header), 0)).toBe(false);
  }
  // A sampling frequency of index 13, and a frame without content.
  expect(ADTS_FRAMES.read(Uint8Array.fromHex("fff17440167ffc"), 0)).toBeUndefined();
  expect(ADTS_FRAMES.read(Uint8Array.fromHex("fff16c4000fffc"), 0)).toBeUndefined();
  // An error flag, and packets without content.
  for (const header of ["47c01110", "47401100"]) {
    expect(TRANSPORT_PACKETS.read(Uint8Array.fromHex(header), 0)).toBeUndefined();
  }
});

test("three headers in a row are frames, two are not", () => {
  const bytes = frames("fffb9044", [417, 417, 417]);
  expect(findFrames(MPEG_FRAMES, bytes.subarray(0, 2 * 417 + 4))).toBe("found");
  expect(findFrames(MPEG_FRAMES, bytes.subarray(0, 2 * 417 + 3))).toBe("more");
  bytes[2 * 417] = 0;
  expect(findFrames(MPEG_FRAMES, bytes)).toBe("none");
});

test("headers everywhere are no frames, and a few inside of frames are a coincidence", () => {
  const bytes = frames("fffb9044", [417, 417, 417]);
  for (const at of [100, 500]) bytes.set(Uint8Array.fromHex("fffb9044"), at);
  expect(findFrames(MPEG_FRAMES, bytes)).toBe("found");
  bytes.set(Uint8Array.fromHex("fffb9044"), 600);
  expect(findFrames(MPEG_FRAMES, bytes)).toBe("none");
});

test("bit rate, padding and stereo mode may change between frames; sample rate, layer and channels may not", () => {
  const second = (header: string) => {
    const bytes = Buffer.concat([frames("fffb9044", [417]), frames(header, [417])]);
    return findFrames(MPEG_FRAMES, bytes.subarray(0, 421));
  };
  for (const header of ["fffba044", "fffb9264", "fffb9004"]) expect(second(header)).toBe("more");
  for (const header of ["fffb9444", "fffd9044", "fff39044", "fffb90c4"]) expect(second(header)).toBe("none");
});
