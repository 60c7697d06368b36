import { expect, test } from "bun:test";

import fc from "fast-check";
import { WaveFile } from "wavefile";

import { WavHeaderReader } from "../../../src/audio/wav-header.ts";
import { MAX_WAITING_BYTES, WavStream } from "../../../src/commands/send/wav-stream.ts";
import { rejection } from "../../support/wire.ts";

/** A sink that keeps what is written, as a reader of a pipe gets it. */
class Pipe {
  readonly pieces: Uint8Array[] = [];
  closed = false;

  get bytes(): Uint8Array {
    return Buffer.concat(this.pieces);
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    this.pieces.push(bytes);
    return undefined;
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

/** Returns the samples of each channel. The header does not say how many there are. */
function channelsOf(bytes: Uint8Array): number[][] {
  const result = new WavHeaderReader(Infinity).push(bytes);
  if (result.status !== "header") throw new Error("no WAV header");
  expect(result.header.dataBytes).toBeUndefined();
  const { channels } = result.header.format;
  const view = new DataView(new Uint8Array(bytes.subarray(result.offset)).buffer);
  const samples = Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(i * 4, true));
  return Array.from({ length: channels }, (_, channel) => samples.filter((_, i) => i % channels === channel));
}

test("channels may arrive in any order and pace: a frame is written when all have it, and the rest at the end", async () => {
  const writes = fc.array(fc.record({ channel: fc.nat(2), length: fc.integer({ min: 1, max: 50 }) }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(writes, async (writes) => {
      const pipe = new Pipe();
      const wanted = [0, 1, 2].map((): number[] => []);
      {
        await using stream = new WavStream("pipe", 3, pipe);
        let value = 0;
        for (const { channel, length } of writes) {
          const samples = Float32Array.from({ length }, () => ++value);
          wanted[channel]!.push(...samples);
          await stream.write(channel, samples, 8000);
          const common = Math.min(...wanted.map(({ length }) => length));
          expect(stream.frames).toBe(common);
          if (common === 0) expect(pipe.pieces).toEqual([]);
          else expect(channelsOf(pipe.bytes)).toEqual(wanted.map((all) => all.slice(0, common)));
        }
        await stream.finish();
      }
      const longest = Math.max(...wanted.map(({ length }) => length));
      const padded = wanted.map((all) => Array.from({ length: longest }, (_, i) => all[i] ?? 0));
      expect(channelsOf(pipe.bytes)).toEqual(padded);
      expect(pipe.closed).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("the header is that of a WAV file of 32-bit floats, and comes in one piece with the first audio", async () => {
  const pipe = new Pipe();
  const stream = new WavStream("pipe", 2, pipe);
  await stream.write(0, Float32Array.of(0.5), 16_000);
  await stream.write(1, Float32Array.of(-0.25), 16_000);
  expect(pipe.pieces.map(({ length }) => length)).toEqual([58 + 8]);
  const { fmt } = new WaveFile(pipe.bytes) as unknown as { fmt: Record<string, number> };
  expect(fmt).toMatchObject({ audioFormat: 3, numChannels: 2, sampleRate: 16_000, bitsPerSample: 32, blockAlign: 8 });
});

test("a channel that is too far ahead is refused, since its samples wait in memory", async () => {
  const stream = new WavStream("pipe", 2, new Pipe());
  const half = new Float32Array(MAX_WAITING_BYTES / 16);
  await stream.write(0, half, 16_000);
  await stream.write(0, half, 16_000);
  const error = await rejection(stream.write(0, Float32Array.of(1), 16_000));
  expect(String(error)).toContain("channel 0 is 524 s ahead of another one");
});

test("audio at another sample rate is refused", async () => {
  const stream = new WavStream("pipe", 1, new Pipe());
  await stream.write(0, new Float32Array(10), 16_000);
  expect(String(await rejection(stream.write(0, new Float32Array(10), 8_000)))).toContain(
    "audio at 8000 Hz after audio at 16000 Hz",
  );
});
