import { expect, test } from "bun:test";

import fc from "fast-check";

import { Arena, type AudioSpan } from "../../src/audio/arena.ts";
import { Store } from "../../src/audio/store.ts";
import { copySamples, viewOf } from "../../src/native/samples.ts";

const SLAB = Arena.SLAB_SAMPLES;

/** Appends `count` samples whose values are their positions. */
function append(store: Store, arena: Arena, count: number): void {
  for (let left = count; left > 0;) {
    if (store.room === 0 && !store.grow()) throw new Error("the test's arena is full");
    const part = Math.min(left, store.room);
    const samples = Float32Array.from({ length: part }, (_, i) => store.end + i);
    copySamples(samples, 0, arena.samples, store.writeIndex, part);
    store.advance(part);
    left -= part;
  }
}

function valuesOf(arena: Arena, span: AudioSpan): number[] {
  const values: number[] = [];
  for (let i = 0; i < span.length; i++) {
    const at = span.offset + i;
    const slab = span.slabs[Math.floor(at / SLAB)];
    if (slab === undefined) throw new Error(`sample ${i} of the span lies in no slab`);
    values.push(...viewOf(arena.samples, slab * SLAB + (at % SLAB), 1));
  }
  return values;
}

function from(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

test("a span over slab borders names every slab that it touches, and no other", () => {
  const arena = new Arena(8);
  using store = new Store(arena);
  append(store, arena, 3 * SLAB);
  expect(store.span(SLAB - 1, 2 * SLAB + 1).slabs).toHaveLength(3);
  expect(store.span(SLAB - 1, 2 * SLAB).slabs).toHaveLength(2);
  expect(store.span(SLAB, 2 * SLAB).slabs).toHaveLength(1);
  expect(valuesOf(arena, store.span(SLAB - 1, 2 * SLAB + 1))).toEqual(from(SLAB - 1, 2 * SLAB + 1));
});

test("an empty span names no slab at a border", () => {
  const arena = new Arena(4);
  using store = new Store(arena);
  append(store, arena, SLAB);
  expect(store.span(SLAB, SLAB)).toEqual({ slabs: [], offset: 0, length: 0 });
  expect(store.span(7, 7).length).toBe(0);
});

test("releasing up to a border frees the slab at once, one sample less keeps it", () => {
  const arena = new Arena(4);
  using store = new Store(arena);
  append(store, arena, SLAB + 10);
  store.release(SLAB - 1);
  expect(arena.used).toBe(2);
  store.release(SLAB);
  expect(arena.used).toBe(1);
  expect(store.retained).toBe(10);
});

test("a store without retained samples has at most the slab that it writes to", () => {
  const arena = new Arena(4);
  using store = new Store(arena);
  append(store, arena, SLAB);
  store.release(SLAB);
  expect(arena.used).toBe(0);
  append(store, arena, 1);
  expect(arena.used).toBe(1);
  expect(store.indexOf(SLAB) % SLAB).toBe(0);
});

test("spans and indices of samples that are not retained throw", () => {
  const arena = new Arena(4);
  using store = new Store(arena);
  append(store, arena, 100);
  store.release(50);
  expect(() => store.span(49, 60)).toThrow("not within");
  expect(() => store.span(60, 101)).toThrow("not within");
  expect(() => store.span(70, 60)).toThrow("not within");
  expect(() => store.indexOf(49)).toThrow("not retained");
  expect(() => store.indexOf(100)).toThrow("not retained");
  expect(() => store.indexOf(5 * SLAB)).toThrow("not retained");
  expect(() => store.release(101)).toThrow("release before 101");
});

test("advancing by more than fits throws", () => {
  const arena = new Arena(1);
  using store = new Store(arena);
  expect(() => store.advance(1)).toThrow("1 samples appended, but only 0 fit");
  expect(() => store.writeIndex).toThrow("no slab");
  store.grow();
  expect(() => store.advance(SLAB + 1)).toThrow("fit");
});

test("grow returns false for a full arena, and takes nothing", () => {
  const arena = new Arena(1);
  using first = new Store(arena);
  using second = new Store(arena);
  expect(first.grow()).toBe(true);
  expect(second.grow()).toBe(false);
  expect(second.slabCount).toBe(0);
});

test("shrink releases the last slab only while it has no samples", () => {
  const arena = new Arena(4);
  using store = new Store(arena);
  store.shrink();
  store.grow();
  store.shrink();
  expect(arena.used).toBe(0);
  append(store, arena, SLAB + 1);
  store.shrink();
  expect(arena.used).toBe(2);
  expect(valuesOf(arena, store.span(0, SLAB + 1))).toEqual(from(0, SLAB + 1));
});

test("dispose releases all slabs; one that a reader retains is free when the reader releases it", () => {
  const arena = new Arena(8);
  const store = new Store(arena);
  append(store, arena, 2 * SLAB + 5);
  const { slabs } = store.span(SLAB, 2 * SLAB);
  for (const slab of slabs) arena.retain(slab);
  store[Symbol.dispose]();
  store[Symbol.dispose]();
  expect(arena.used).toBe(1);
  for (const slab of slabs) arena.release(slab);
  expect(arena.used).toBe(0);
});

const action = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("append" as const), amount: fc.nat(3 * SLAB) }) },
  fc.record({ do: fc.constant("release" as const), amount: fc.nat(1000) }),
  fc.record({ do: fc.constant("span" as const), amount: fc.nat(1000) }),
  fc.record({ do: fc.constant("grow" as const), amount: fc.constant(0) }),
);

test("whatever is appended and released, what is retained reads back and every slab is counted", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 12 }), (actions) => {
      using arena = new Arena(64);
      const store = new Store(arena);
      let released = 0;
      for (const { do: what, amount } of actions) {
        if (what === "append") append(store, arena, amount);
        else if (what === "release") {
          released = Math.max(released, released + Math.floor(((store.end - released) * amount) / 1000));
          store.release(released);
        } else if (what === "grow") {
          if (store.room === 0) store.grow();
        } else {
          const start = released + Math.floor(((store.end - released) * amount) / 1000);
          const end = Math.min(store.end, start + 2 * SLAB);
          expect(valuesOf(arena, store.span(start, end))).toEqual(from(start, end));
          // Run by run is the same walk.
          for (let at = start; at < end;) {
            const run = store.runLength(at);
            expect(run).toBeGreaterThan(0);
            expect([...viewOf(arena.samples, store.indexOf(at), 1)]).toEqual([at]);
            expect([...viewOf(arena.samples, store.indexOf(at) + run - 1, 1)]).toEqual([at + run - 1]);
            at += run;
          }
        }
        expect(store.retained).toBe(store.end - released);
        expect(arena.used).toBe(store.slabCount);
        expect(store.slabCount).toBeLessThanOrEqual(Math.ceil(store.retained / SLAB) + 1);
      }
      store[Symbol.dispose]();
      expect(arena.used).toBe(0);
      for (let slab = 0; slab < arena.capacity; slab++) expect(arena.references(slab)).toBe(0);
    }),
    { numRuns: 60 },
  );
});
