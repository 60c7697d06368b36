import { expect, test } from "bun:test";

import fc from "fast-check";

import { WavAudio, type WavAudioOptions } from "../../src/audio/wav-audio.ts";
import type { WavHeader } from "../../src/audio/wav-header.ts";
import { cut } from "../support/pcm.ts";
import { chunk, littleEndian } from "../support/wav-bytes.ts";

const HEADER_BYTES = 44;

/** A header of a file with `dataBytes` of audio and `more` bytes behind them. */
function header(dataBytes: number | undefined, more: number | undefined): WavHeader {
  return {
    format: { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false, encoding: "pcm" },
    significantBits: 16,
    dataBytes,
    headerBytes: HEADER_BYTES,
    fileBytes: more === undefined ? undefined : HEADER_BYTES + (dataBytes ?? 0) + more,
  };
}

/** The audio in these bytes, which follow the header, and the object that found it. */
function audioIn(bytes: Uint8Array, head: WavHeader, options: WavAudioOptions, cuts: readonly number[] = [999]) {
  const wav = new WavAudio(head, options);
  const audio: Uint8Array[] = [];
  for (const piece of cut(bytes, cuts)) {
    for (let at = 0; at < piece.length;) {
      const rest = piece.slice(at);
      const { withheld, start, end, next } = wav.push(rest);
      audio.push(withheld.slice(), rest.slice(start, end));
      at += next;
    }
  }
  audio.push(wav.end());
  return { audio: Buffer.concat(audio).toString("latin1"), wav };
}

const LIST = chunk("LIST", littleEndian("INFO"));
const DATA = chunk("data", littleEndian("more"));
const FILE = { endsAtSize: true };

test("in a file whose sizes agree the audio ends there, whatever follows", () => {
  for (const rest of ["", "\0", "TAG and so on", "more audio"]) {
    const bytes = littleEndian("audio!", rest);
    const { audio, wav } = audioIn(bytes, header(6, 0), { ...FILE, size: HEADER_BYTES + bytes.length });
    expect({ audio, goesOn: wav.goesOn, missing: wav.missingBytes }).toEqual({
      audio: "audio!",
      goesOn: false,
      missing: 0,
    });
  }
});

test("chunks behind the audio are left out", () => {
  for (const tail of [LIST, littleEndian("\0", LIST), littleEndian(LIST, LIST)]) {
    const { audio, wav } = audioIn(littleEndian("audio", tail), header(5, tail.length), FILE);
    expect(audio).toBe("audio");
    expect(wav.chunkBytes).toBeGreaterThan(0);
    expect(wav.ended).toBe(true);
  }
});

test("chunks that a program has added without a new RIFF size are recognised by the size of the file", () => {
  const { wav } = audioIn(littleEndian("audio!", LIST), header(6, 0), { ...FILE, size: HEADER_BYTES + 6 + 12 });
  expect(wav.chunkBytes).toBeGreaterThan(0);
});

test.each([
  ["a data size of 0 and a right RIFF size", header(0, 14), undefined],
  ["a data size of 0 and a RIFF size of 36", header(0, 0), undefined],
  ["a data size of 0 and no RIFF size", header(0, undefined), undefined],
  ["a data size of 0 in a file", header(0, 0), HEADER_BYTES + 14],
  ["a data size that is too small for the RIFF size", header(4, 10), undefined],
])("with %s, the audio goes on to the end of the file", (_, head, size) => {
  const { audio, wav } = audioIn(littleEndian("14 bytes audio"), head, { ...FILE, size });
  expect(audio).toBe("14 bytes audio");
  expect(wav.goesOn).toBe(true);
});

test("a data chunk of 0 bytes with another chunk behind it is an empty recording", () => {
  for (const [more, size] of [
    [12, undefined],
    [0, HEADER_BYTES + 12],
  ] as const) {
    const { audio, wav } = audioIn(LIST, header(0, more), { ...FILE, size });
    expect({ audio, goesOn: wav.goesOn }).toEqual({ audio: "", goesOn: false });
  }
});

test("an unknown size is that of the rest of the file", () => {
  const { audio, wav } = audioIn(littleEndian("audio", LIST), header(undefined, undefined), FILE);
  expect(audio).toHaveLength(17);
  expect(wav.goesOn).toBe(false);
});

test("a second data chunk is left out and known, also behind other chunks", () => {
  for (const endsAtSize of [false, true]) {
    for (const tail of [DATA, littleEndian(LIST, DATA), littleEndian(LIST, LIST, DATA, LIST)]) {
      const { audio, wav } = audioIn(littleEndian("audio!", tail), header(6, tail.length), { endsAtSize });
      expect([audio, wav.hasSecondData]).toEqual(["audio!", true]);
    }
    const { wav } = audioIn(littleEndian("audio!", LIST, LIST), header(6, 2 * LIST.length), { endsAtSize });
    expect(wav.hasSecondData).toBe(false);
  }
});

test("audio that ends early is counted as missing", () => {
  expect(audioIn(littleEndian("audio"), header(9, 0), FILE).wav.missingBytes).toBe(4);
});

test("sizes that wrapped at 4 GiB are those of the file", () => {
  const size = HEADER_BYTES + 2 ** 32 + 100;
  const wav = new WavAudio(header(100, 0), { ...FILE, size });
  expect(wav.declaredBytes).toBe(2 ** 32 + 100);
  expect(wav.goesOn).toBe(true);
  expect(new WavAudio(header(100, 0), { ...FILE, size: size + 1 }).declaredBytes).toBe(100);
});

test("without a size to trust, all bytes but whole chunks are audio", () => {
  const options = { endsAtSize: false };
  for (const [bytes, head, audio] of [
    [littleEndian("audio more"), header(5, 0), "audio more"],
    [littleEndian("audio more and more"), header(5, 14), "audio more and more"],
    [littleEndian("audio!", LIST, "more"), header(6, 12), "audio!more"],
    [littleEndian("audio", chunk("Xtra", new Uint8Array(90))), header(5, 98), "audio"],
  ] as const) {
    expect(audioIn(bytes, head, options).audio).toBe(audio);
  }
});

test("the audio is the same however the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.constantFrom(LIST, DATA, littleEndian("\0")))),
      fc.option(fc.nat(30), { nil: undefined }),
      fc.option(fc.nat(60), { nil: undefined }),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }),
      (parts, dataBytes, more, endsAtSize, cuts) => {
        const bytes = littleEndian(...parts);
        const whole = audioIn(bytes, header(dataBytes, more), { endsAtSize });
        const pieces = audioIn(bytes, header(dataBytes, more), { endsAtSize }, cuts);
        expect(pieces.audio).toBe(whole.audio);
        expect(pieces.wav.goesOn).toBe(whole.wav.goesOn);
        expect(pieces.wav.missingBytes).toBe(whole.wav.missingBytes);
        expect(pieces.wav.chunkBytes > 0).toBe(whole.wav.chunkBytes > 0);
        expect(pieces.wav.hasSecondData).toBe(whole.wav.hasSecondData);
      },
    ),
    { numRuns: 500 },
  );
});
