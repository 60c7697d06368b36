import { expect, test } from "bun:test";

import { EncodedState } from "../../../src/pool/encoded-state.ts";
import { isPlain } from "../../../src/stream/resume/plain-state.ts";

test("plain data is what a structured clone copies whole", () => {
  const state = { list: [1, "two", null, undefined, 3n], map: new Map([[{ a: 1 }, new Set([2])]]), at: new Date(0) };
  for (const value of [
    undefined,
    1,
    "x",
    state,
    new Float32Array(3),
    new Float16Array(1),
    new Uint8Array(2).buffer,
    Object.create(null),
  ]) {
    expect(isPlain(value)).toBe(true);
  }
  const circle: { self?: unknown } = {};
  circle.self = circle;
  expect(isPlain(circle)).toBe(true);
});

test("memory that is shared, objects of a class, functions and states of processes are none, at any depth", () => {
  class Handle {}
  for (const value of [
    new SharedArrayBuffer(4),
    new Handle(),
    () => 1,
    Symbol("x"),
    new WeakMap(),
    Promise.resolve(),
    new EncodedState(Uint8Array.of(1)),
  ]) {
    expect(isPlain(value)).toBe(false);
    expect(isPlain({ deep: [new Map([["key", value]])] })).toBe(false);
  }
  expect(isPlain(new Float32Array(new SharedArrayBuffer(8)))).toBe(false);
});

test("a state of too many values, or nested too deep, does not count as plain", () => {
  expect(isPlain(Array.from({ length: 30_000 }, () => [1]))).toBe(false);
  let deep: unknown = 1;
  for (let i = 0; i < 40; i++) deep = [deep];
  expect(isPlain(deep)).toBe(false);
});
