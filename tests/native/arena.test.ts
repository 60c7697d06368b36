import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";

import { ArenaMemory, MAX_SLABS, SLAB_SAMPLES } from "../../src/native/arena.ts";
import { copySamples, viewOf } from "../../src/native/samples.ts";
import { waitUntil } from "../support/wait.ts";

const SLAB_BYTES = SLAB_SAMPLES * 4;

/** Fills slabs with a value. */
function fill(memory: ArenaMemory, first: number, count: number, value = 0.5): void {
  const samples = new Float32Array(count * SLAB_SAMPLES).fill(value);
  copySamples(samples, 0, memory, first * SLAB_SAMPLES, samples.length);
}

/** Files of audio memory that this process has open. */
function mappedArenas(): number {
  return readFileSync("/proc/self/maps", "utf8").split("memfd:streamer-arena").length - 1;
}

describe("memory of the arena", () => {
  test("reserves its address space and occupies only what was written to", () => {
    using memory = new ArenaMemory(65_536);
    expect(memory.length).toBe(65_536 * SLAB_SAMPLES);
    expect(memory.residentBytes).toBe(0);
    fill(memory, 7, 2);
    fill(memory, 65_535, 1);
    expect(memory.residentBytes).toBe(3 * SLAB_BYTES);
  });

  test("given back, it occupies nothing and its samples are 0; the other slabs keep theirs", () => {
    using memory = new ArenaMemory(16);
    fill(memory, 0, 16);
    memory.giveBack(4, 8);
    expect(memory.residentBytes).toBe(8 * SLAB_BYTES);
    const at = (slab: number) =>
      viewOf(memory, slab * SLAB_SAMPLES, SLAB_SAMPLES).reduce((sum, sample) => sum + sample);
    expect([3, 4, 11, 12].map(at)).toEqual([SLAB_SAMPLES / 2, 0, 0, SLAB_SAMPLES / 2]);
    fill(memory, 4, 1, 0.25);
    expect(at(4)).toBe(SLAB_SAMPLES / 4);
    memory.giveBack(0, 0);
    memory.giveBack(16, 0);
  });

  test("slabs outside are not given back", () => {
    using memory = new ArenaMemory(16);
    for (const [first, count] of [
      [0, 17],
      [16, 1],
      [-1, 1],
      [0.5, 1],
      [0, NaN],
    ] as const) {
      expect(() => memory.giveBack(first, count)).toThrow(RangeError);
    }
  });

  test("has from one slab to the most that an index reaches", () => {
    for (const wrong of [0, -1, 1.5, NaN, MAX_SLABS + 1]) expect(() => new ArenaMemory(wrong)).toThrow(RangeError);
    using memory = new ArenaMemory(MAX_SLABS);
    copySamples(Float32Array.of(0.25), 0, memory, memory.length - 1, 1);
    expect([...viewOf(memory, memory.length - 2, 2)]).toEqual([0, 0.25]);
  });

  test("cannot be used after it was freed", () => {
    const memory = new ArenaMemory(1);
    memory[Symbol.dispose]();
    memory[Symbol.dispose]();
    const gone = "after it was disposed";
    expect(() => memory.address).toThrow(gone);
    expect(() => memory.fd).toThrow(gone);
    expect(() => memory.residentBytes).toThrow(gone);
    expect(() => memory.giveBack(0, 1)).toThrow(gone);
    expect(() => copySamples(memory, 0, new Float32Array(1), 0, 1)).toThrow(gone);
  });

  test("is freed when nothing refers to it any more", async () => {
    const before = mappedArenas();
    (() => {
      for (let i = 0; i < 20; i++) new ArenaMemory(4);
    })();
    expect(mappedArenas()).toBeGreaterThan(before);
    await waitUntil("most are freed", () => {
      Bun.gc(true);
      return mappedArenas() <= before + 5;
    });
  });

  test("a child process that inherits the file reads the same samples", async () => {
    using memory = new ArenaMemory(4);
    fill(memory, 2, 1, 0.75);
    const program = `const { readSync } = require("node:fs");
      const samples = new Float32Array(2);
      readSync(3, samples, 0, 8, ${2 * SLAB_BYTES});
      console.log(samples.join())`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdio: ["ignore", "pipe", "inherit", memory.fd] });
    expect(await new Response(child.stdout).text()).toBe("0.75,0.75\n");
    expect(await child.exited).toBe(0);
  });

  test("is no memory of the JavaScript heap", () => {
    const before = heapStats().extraMemorySize;
    using memory = new ArenaMemory(16_384);
    fill(memory, 0, 64);
    // Bun counted a SharedArrayBuffer of this size in full: 256 MiB.
    expect(heapStats().extraMemorySize - before).toBeLessThan(64 * 2 ** 20);
  });
});
