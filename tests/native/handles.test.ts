import { expect, test } from "bun:test";

import { DecodeChain } from "../../src/native/chain.ts";
import { Inspector } from "../../src/native/inspector.ts";
import { PcmConverter } from "../../src/native/pcm.ts";
import { Resampler } from "../../src/native/resampler.ts";
import { EnergyVad } from "../../src/native/vad.ts";

const none = new Float32Array(0);

test("an output without room is enough for input that completes nothing", () => {
  for (const out of [none, new Float32Array(new SharedArrayBuffer(0)), new Float32Array(4).subarray(4)]) {
    using converter = new PcmConverter("s24", 2);
    expect(converter.process(new Uint8Array(5), 0, 5, out, Uint32Array.of(0, 0))).toBe(0);
    expect(converter.pendingBytes).toBe(5);
    using resampler = new Resampler(48000, 16000);
    expect(resampler.process(new Float32Array(9), 0, 9, out, 0)).toBe(0);
    expect(resampler.flush(out, 0, 0)).toBe(0);
    using vad = new EnergyVad(16000, 10, -70);
    expect(vad.process(new Float32Array(9), 0, 9, new Uint8Array(0), out)).toBe(0);
  }
});

test("no input is no error and changes nothing", () => {
  using converter = new PcmConverter("s16", 1);
  expect(converter.process(new Uint8Array(0), 0, 0, none, Uint32Array.of(0))).toBe(0);
  using resampler = new Resampler(8000, 16000);
  expect(resampler.process(none, 0, 0, none, 0)).toBe(0);
  using inspector = new Inspector(16000, 1);
  expect(inspector.process(none, Uint32Array.of(0), 0)).toBe(0);
  using vad = new EnergyVad(16000, 10, -70);
  expect(vad.process(none, 0, 0, new Uint8Array(0), none)).toBe(0);
});

test("audio may lie anywhere in one large shared memory", () => {
  const memory = new Float32Array(new SharedArrayBuffer(4 * 2 ** 22));
  const far = memory.length - 3000;
  using converter = new PcmConverter("s16", 1);
  // A tone of 2 kHz: two samples of 0x2020 and two of 0xe0e0 in turn at 8 kHz.
  const tone = Uint8Array.from({ length: 4000 }, (_, i) => (i & 4 ? 0xe0 : 0x20));
  expect(converter.process(tone, 0, 4000, memory, Uint32Array.of(far))).toBe(2000);
  expect([...memory.slice(far, far + 4)].map((sample) => Math.sign(sample))).toEqual([1, 1, -1, -1]);
  using resampler = new Resampler(8000, 16000);
  const written = resampler.process(memory, far, 2000, memory, 77);
  expect(written).toBe(2 * 2000 - 2 * 35);
  expect(memory.slice(77 + 1000, 77 + 1100).some((sample) => Math.abs(sample) > 0.2)).toBe(true);
  using vad = new EnergyVad(8000, 10, -70);
  const level = new Float32Array(25);
  expect(vad.process(memory, far, 2000, new Uint8Array(25), level)).toBe(25);
  expect(level[20]).toBeCloseTo(20 * Math.log10(0x2020 / 32768), 0);
});

test("a disposed handle throws instead of reaching freed memory", () => {
  const used = [
    new PcmConverter("u8", 1),
    new Resampler(8000, 16000),
    new Inspector(8000, 1),
    new DecodeChain("u8", 1, 8000, 16000),
    new EnergyVad(8000, 10, -70),
  ];
  for (const handle of used) {
    handle[Symbol.dispose]();
    handle[Symbol.dispose]();
    expect(() => handle.reset()).toThrow("used after it was disposed");
  }
});
