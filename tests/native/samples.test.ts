import { expect, test } from "bun:test";

import { ArenaMemory } from "../../src/native/arena.ts";
import { Inspector } from "../../src/native/inspector.ts";
import { PcmConverter } from "../../src/native/pcm.ts";
import { Resampler } from "../../src/native/resampler.ts";
import { copySamples, type Samples, viewOf } from "../../src/native/samples.ts";
import { EnergyVad } from "../../src/native/vad.ts";

test("samples are copied between arrays and the arena in any direction", () => {
  using memory = new ArenaMemory(2);
  const end = memory.length - 3;
  copySamples(Float32Array.of(1, 2, 3, 4), 1, memory, end, 3);
  copySamples(memory, end, memory, 10, 3);
  const copied = new Float32Array(5);
  copySamples(memory, 11, copied, 3, 2);
  expect([...copied]).toEqual([0, 0, 0, 3, 4]);
  copySamples(copied, 3, copied, 0, 2);
  expect([...copied]).toEqual([3, 4, 0, 3, 4]);
});

test("a view shows an array itself, and a copy of the arena", () => {
  const array = Float32Array.of(1, 2, 3);
  viewOf(array, 1, 2)[0] = 5;
  expect([...array]).toEqual([1, 5, 3]);
  using memory = new ArenaMemory(1);
  copySamples(array, 0, memory, 0, 3);
  viewOf(memory, 0, 3).fill(0);
  expect([...viewOf(memory, 1, 2)]).toEqual([5, 3]);
  expect(viewOf(memory, memory.length, 0).length).toBe(0);
});

/** Every function of the library that is given samples, for `length` of them from `index` on. */
const CALLS: Readonly<Record<string, (samples: Samples, index: number, length: number) => unknown>> = {
  "copySamples from": (samples, index, length) => copySamples(samples, index, new Float32Array(9000), 0, length),
  "copySamples to": (samples, index, length) => copySamples(new Float32Array(9000), 0, samples, index, length),
  viewOf: (samples, index, length) => viewOf(samples, index, length),
  pcm: (samples, index, length) => {
    using converter = new PcmConverter("u8", 1);
    return converter.process(new Uint8Array(9000), 0, length, samples, Uint32Array.of(index));
  },
  inspector: (samples, index, length) => {
    using inspector = new Inspector(16_000, 1);
    return inspector.process(samples, Uint32Array.of(index), length);
  },
  "resampler from": (samples, index, length) => {
    using resampler = new Resampler(16_000, 16_000);
    return resampler.process(samples, index, length, new Float32Array(9000), 0);
  },
  "resampler to": (samples, index, length) => {
    using resampler = new Resampler(16_000, 16_000);
    return resampler.process(new Float32Array(9000), 0, length, samples, index);
  },
  "resampler flush": (samples, index, length) => {
    using resampler = new Resampler(8000, 16_000);
    return resampler.flush(samples, index, length);
  },
  vad: (samples, index, length) => {
    using vad = new EnergyVad(16_000, 10, -70);
    return vad.process(samples, index, length, new Uint8Array(99), new Float32Array(99));
  },
};

test.each(Object.entries(CALLS))("no sample outside of its memory is accessed: %s", (_, call) => {
  using memory = new ArenaMemory(2);
  for (const samples of [memory, new Float32Array(memory.length)]) {
    call(samples, 0, memory.length);
    call(samples, memory.length - 10, 10);
    for (const [index, length] of [
      [0, memory.length + 1],
      [memory.length - 9, 10],
      [memory.length + 1, 1],
    ] as const) {
      expect(() => call(samples, index, length)).toThrow(RangeError);
    }
  }
});
