import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { Arena } from "../../src/audio/arena.ts";

/** Lets every microtask that is queued now, and those that they queue, run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("arena", () => {
  test("slabs are taken until there are none, each once", () => {
    const arena = new Arena(3);
    expect([arena.take(), arena.take(), arena.take()].sort()).toEqual([0, 1, 2]);
    expect(arena.take()).toBe(-1);
    expect([arena.used, arena.capacity]).toEqual([3, 3]);
  });

  test("it has as many samples as all slabs", () => {
    expect(new Arena(2).samples.length).toBe(2 * Arena.SLAB_SAMPLES);
  });

  test("a slab is free when its last reference is released, and is the next to be taken", () => {
    const arena = new Arena(4);
    arena.take();
    const slab = arena.take();
    arena.retain(slab);
    arena.release(slab);
    expect([arena.used, arena.references(slab)]).toEqual([2, 1]);
    arena.release(slab);
    expect([arena.used, arena.references(slab)]).toEqual([1, 0]);
    expect(arena.take()).toBe(slab);
  });

  test("releasing or retaining a free slab throws and changes nothing", () => {
    const arena = new Arena(2);
    const slab = arena.take();
    arena.release(slab);
    for (const wrong of [slab, 1, 2, -1, 0.5, NaN]) {
      expect(() => arena.release(wrong)).toThrow("is free");
      expect(() => arena.retain(wrong)).toThrow("is free");
    }
    expect(arena.used).toBe(0);
  });

  test("a span is retained and released slab by slab", () => {
    const arena = new Arena(3);
    const span = { slabs: [arena.take(), arena.take()], offset: 10, length: Arena.SLAB_SAMPLES };
    arena.retainSpan(span);
    expect(span.slabs.map((slab) => arena.references(slab))).toEqual([2, 2]);
    arena.releaseSpan(span);
    arena.releaseSpan(span);
    expect(arena.used).toBe(0);
    expect(() => arena.retainSpan(span)).toThrow("is free");
  });

  test("a number of slabs that is not an integer from 1 is refused", () => {
    for (const wrong of [0, -1, 1.5, NaN]) expect(() => new Arena(wrong)).toThrow(RangeError);
  });
});

describe("waiting for free slabs", () => {
  function full(slabs: number): { arena: Arena; held: number[] } {
    const arena = new Arena(slabs);
    return { arena, held: Array.from({ length: slabs }, () => arena.take()) };
  }

  test("waiters are woken in order, asynchronously, and only as many as there are free slabs for", async () => {
    const { arena, held } = full(2);
    const woken: string[] = [];
    for (const name of ["a", "b", "c"]) arena.whenFree(() => woken.push(`${name}${arena.take()}`));
    expect(arena.waiting).toBe(3);
    arena.release(held[1]!);
    expect(woken).toEqual([]);
    await settled();
    expect(woken).toEqual(["a1"]);
    arena.release(held[0]!);
    await settled();
    expect(woken).toEqual(["a1", "b0"]);
    expect(arena.waiting).toBe(1);
  });

  test("a waiter that is woken and takes nothing leaves the slab to the next one", async () => {
    const { arena, held } = full(1);
    const woken: string[] = [];
    arena.whenFree(() => woken.push("a"));
    arena.whenFree(() => woken.push("b"));
    arena.release(held[0]!);
    await settled();
    expect(woken).toEqual(["a", "b"]);
  });

  test("a waiter for several slabs is not overtaken by a waiter for one", async () => {
    const { arena, held } = full(3);
    const woken: string[] = [];
    arena.whenFree(() => woken.push("three"), 3);
    arena.whenFree(() => woken.push("one"));
    arena.release(held[0]!);
    arena.release(held[1]!);
    await settled();
    expect(woken).toEqual([]);
    arena.release(held[2]!);
    await settled();
    expect(woken).toEqual(["three", "one"]);
  });

  test("a waiter that leaves is not woken, and does not block those behind it", async () => {
    const { arena, held } = full(2);
    const woken: string[] = [];
    const leave = arena.whenFree(() => woken.push("two"), 2);
    arena.whenFree(() => woken.push("one"));
    arena.release(held[0]!);
    leave();
    leave();
    await settled();
    expect(woken).toEqual(["one"]);
  });

  test("a waiter is woken in a microtask when slabs are free already", async () => {
    const arena = new Arena(1);
    let woken = false;
    arena.whenFree(() => (woken = true));
    expect(woken).toBe(false);
    await settled();
    expect(woken).toBe(true);
  });

  test("a wait for more slabs than the arena has is refused", () => {
    const arena = new Arena(2);
    for (const wrong of [0, 3, NaN]) expect(() => arena.whenFree(() => {}, wrong)).toThrow(RangeError);
  });

  test("any history of taking, retaining, releasing and waiting frees every slab and wakes every waiter", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(99), { maxLength: 200 }),
        fc.integer({ min: 1, max: 5 }),
        async (dice, slabs) => {
          using arena = new Arena(slabs);
          const held: number[] = [];
          let waiting = 0;
          const take = (): void => {
            waiting--;
            const slab = arena.take();
            if (slab >= 0) held.push(slab);
            else wait();
          };
          const wait = (): void => {
            waiting++;
            arena.whenFree(take);
          };
          for (const die of dice) {
            if (die < 40) wait();
            else if (die < 60 && held.length > 0) {
              arena.retain(held[0]!);
              held.push(held[0]!);
            } else if (die < 95) {
              const slab = held.splice(die % Math.max(1, held.length), 1)[0];
              if (slab !== undefined) arena.release(slab);
            } else await settled();
            expect(arena.used).toBe(new Set(held).size);
          }
          while (held.length > 0 || waiting > 0) {
            const slab = held.pop();
            if (slab !== undefined) arena.release(slab);
            await settled();
            expect(arena.waiting === 0 || arena.used === arena.capacity).toBe(true);
          }
          expect(arena.used).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });
});
