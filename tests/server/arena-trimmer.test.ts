import { expect, test } from "bun:test";

import { Arena } from "../../src/audio/arena.ts";
import { copySamples } from "../../src/native/samples.ts";
import { ArenaTrimmer } from "../../src/server/arena-trimmer.ts";

const SLAB_BYTES = Arena.SLAB_SAMPLES * 4;
const PERIOD_MS = 1_500;
const samples = new Float32Array(Arena.SLAB_SAMPLES).fill(0.5);

/** Takes slabs and writes to them. */
function use(arena: Arena, count: number): number[] {
  return Array.from({ length: count }, () => {
    const slab = arena.take();
    copySamples(samples, 0, arena.samples, slab * Arena.SLAB_SAMPLES, samples.length);
    return slab;
  });
}

test("after a burst the memory is back within 5 s, in slices, except for a small reserve", () => {
  using arena = new Arena(4_096);
  const tasks: (() => void)[] = [];
  const trimmer = new ArenaTrimmer(arena, (task) => tasks.push(task));
  for (const slab of use(arena, 2_000)) arena.release(slab);
  const inUse = use(arena, 10);
  const sizes: number[] = [];
  for (let now = 500; now <= 5_000; now += 500) {
    trimmer.check(now);
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      task();
      sizes.push(arena.residentBytes / SLAB_BYTES);
    }
  }
  expect(sizes.length).toBeGreaterThan(10);
  for (const [i, size] of sizes.entries()) expect((sizes[i - 1] ?? size) - size).toBeLessThanOrEqual(128);
  expect(arena.residentBytes / SLAB_BYTES).toBe(256 + inUse.length);
  expect(arena.used).toBe(inUse.length);
});

test("memory that is used again and again is kept", () => {
  using arena = new Arena(4_096);
  const trimmer = new ArenaTrimmer(arena, (task) => task());
  for (let round = 0; round < 5; round++) {
    for (const slab of use(arena, 1_000)) arena.release(slab);
    trimmer.check(round * PERIOD_MS);
    expect(arena.residentBytes).toBe(1_000 * SLAB_BYTES);
  }
});

test("slabs that were given back are used again", () => {
  using arena = new Arena(600);
  const trimmer = new ArenaTrimmer(arena, (task) => task());
  for (const slab of use(arena, 600)) arena.release(slab);
  for (let round = 1; round <= 3; round++) trimmer.check(round * PERIOD_MS);
  expect(arena.residentBytes).toBe(256 * SLAB_BYTES);
  expect(new Set(use(arena, 600)).size).toBe(600);
  expect(arena.take()).toBe(-1);
  expect(arena.residentBytes).toBe(600 * SLAB_BYTES);
});
