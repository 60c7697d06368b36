import { expect, test } from "bun:test";

import fc from "fast-check";

import { FreeSlabs } from "../../src/audio/free-slabs.ts";

test("slabs that were used are taken first, the one freed last before the others, then new ones from the beginning", () => {
  const free = new FreeSlabs(5);
  expect([free.take(), free.take(), free.take()]).toEqual([0, 1, 2]);
  free.add(0);
  free.add(2);
  expect([free.take(), free.take(), free.take(), free.take(), free.take()]).toEqual([2, 0, 3, 4, -1]);
});

test("slabs are idle that were free during a whole period, those freed first before the others", () => {
  const free = new FreeSlabs(8);
  for (let i = 0; i < 8; i++) free.take();
  for (const slab of [5, 1, 7, 3]) free.add(slab);
  free.beginPeriod();
  expect(free.idle).toBe(0);
  expect(free.take()).toBe(3);
  free.add(3);
  free.beginPeriod();
  expect(free.idle).toBe(3);
  expect([...free.coolDown(2)]).toEqual([1, 5]);
  expect(free.idle).toBe(1);
  expect([...free.coolDown(9)]).toEqual([7]);
  expect([...free.coolDown(9)]).toEqual([]);
  expect(free.count).toBe(4);
  // The warm one, then the last that was given back, the lowest of its slice first.
  expect([free.take(), free.take(), free.take(), free.take(), free.take()]).toEqual([3, 7, 1, 5, -1]);
});

test("an idle slab that is taken is not idle any more", () => {
  const free = new FreeSlabs(2);
  free.take();
  free.take();
  free.add(0);
  free.add(1);
  free.beginPeriod();
  free.beginPeriod();
  expect(free.idle).toBe(2);
  free.take();
  free.take();
  expect(free.idle).toBe(0);
  expect([...free.coolDown(2)]).toEqual([]);
});

test("any history hands out each slab once, and idle slabs were free all the time", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(fc.nat(99), { maxLength: 300 }), (capacity, dice) => {
      const free = new FreeSlabs(capacity);
      const held: number[] = [];
      /** Slabs used in this period and in the last one. */
      let [used, usedBefore] = [new Set<number>(), new Set<number>()];
      const cold = new Set(Array.from({ length: capacity }, (_, slab) => slab));
      for (const die of dice) {
        if (die < 45) {
          const slab = free.take();
          expect(slab >= 0).toBe(held.length < capacity);
          if (slab < 0) continue;
          expect(held).not.toContain(slab);
          held.push(slab);
          used.add(slab);
          cold.delete(slab);
        } else if (die < 85 && held.length > 0) {
          const [slab = 0] = held.splice(die % held.length, 1);
          used.add(slab);
          free.add(slab);
        } else if (die < 92) {
          free.beginPeriod();
          [usedBefore, used] = [used, new Set(held)];
        } else {
          for (const slab of free.coolDown(die - 91)) {
            expect(held).not.toContain(slab);
            expect(usedBefore).not.toContain(slab);
            expect(used).not.toContain(slab);
            expect(cold.has(slab)).toBe(false);
            cold.add(slab);
          }
        }
        expect(free.count).toBe(capacity - held.length);
      }
      expect(Array.from({ length: capacity }, () => free.take()).filter((slab) => slab >= 0).length).toBe(
        capacity - held.length,
      );
    }),
    { numRuns: 300 },
  );
});
