import { expect, test } from "bun:test";

import { findUncloned } from "../../src/worker/state-inspection.ts";

class Recogniser {
  words = 0;
  feed(): void {
    this.words++;
  }
}

class Samples extends Float32Array {}

test("what a structured clone keeps is not found", () => {
  const cyclic: Record<string, unknown> = { name: "a" };
  cyclic["self"] = cyclic;
  for (const state of [
    undefined,
    null,
    5n,
    "text",
    [1, [2]],
    cyclic,
    Object.create(null),
    { a: new Float32Array(3), b: new Float16Array(2), c: new ArrayBuffer(1), d: new Date(), e: /x/, f: new Error("g") },
    new Map<unknown, unknown>([["a", new Set([1])]]),
  ]) {
    expect([findUncloned(state), structuredClone(state) as unknown]).toEqual([undefined, state]);
  }
});

test("an object that loses its methods, and what cannot be cloned, is found with its path", () => {
  const recogniser = new Recogniser();
  for (const [state, found] of [
    [recogniser, "state is an object of the class Recogniser"],
    [{ recogniser }, "state.recogniser is an object of the class Recogniser"],
    [{ channels: [1, { recogniser }] }, "state.channels[1].recogniser is an object of the class Recogniser"],
    [{ byName: new Map([["left", recogniser]]) }, "state.byName.get(left) is an object of the class Recogniser"],
    [{ all: new Set([recogniser]) }, "state.all (an element) is an object of the class Recogniser"],
    [{ samples: new Samples(2) }, "state.samples is an object of the class Samples"],
    [{ bytes: Buffer.from("a") }, "state.bytes is an object of the class Buffer"],
    [{ later: Promise.resolve() }, "state.later is an object of the class Promise"],
    [{ stop: () => 1 }, "state.stop is a function"],
    [{ mark: Symbol("a") }, "state.mark is a symbol"],
    [{ odd: Object.create({}) as object }, "state.odd is an object of the class Object"],
  ] as const) {
    expect(findUncloned(state)).toBe(found);
  }
});

test("the search is bounded", () => {
  let deep: object = new Recogniser();
  for (let i = 0; i < 20; i++) deep = { deep };
  expect(findUncloned(deep)).toBeUndefined();
  expect(
    findUncloned({ long: Array.from({ length: 20_000 }, () => ({})), recogniser: new Recogniser() }),
  ).toBeUndefined();
});
