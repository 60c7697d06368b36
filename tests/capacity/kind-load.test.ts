import { expect, test } from "bun:test";

import { KindLoad } from "../../src/capacity/kind-load.ts";

test("what is expected counts until calls have been measured", () => {
  const load = new KindLoad({ hold: 2, compute: 0.08 });
  expect([load.hold, load.compute]).toEqual([2, 0.08]);
  load.called(50);
  load.called(50);
  load.sample(0, 0, 1, 0.5);
  expect(load.compute).toBeCloseTo(0.08, 2);
  load.called(50);
  load.called(50);
  load.sample(0, 0, 1, 0.5);
  expect(load.compute).toBeCloseTo(0.1, 2);
});

test("what is expected counts less with every second of audio that needed no call: silence costs nothing", () => {
  const load = new KindLoad({ hold: 2, compute: 0.08 });
  load.sample(0, 8, 8, 1);
  expect(load.compute).toBeLessThan(0.05);
  for (let i = 0; i < 20; i++) load.sample(0, 8, 8, 1);
  expect(load.compute).toBeLessThan(0.01);
});

test("the cost of calls stays without load, and follows a change", () => {
  const load = new KindLoad({ hold: 2, compute: 0 });
  const run = (workerMs: number, seconds: number): void => {
    for (let i = 0; i < seconds; i++) {
      load.called(workerMs);
      load.sample(0, 1, 1, 1);
    }
  };
  run(100, 60);
  const before = load.compute;
  for (let i = 0; i < 1_000; i++) load.sample(0, 0, 0, 1);
  expect(load.compute).toBe(before);
  run(300, 600);
  expect(load.compute).toBeCloseTo(0.3, 1);
});

test("the hold rises in seconds, falls in minutes, and is never less than expected", () => {
  const load = new KindLoad({ hold: 5, compute: 0 });
  for (let i = 0; i < 60; i++) load.sample(900, 100, 0, 0.5);
  expect(load.hold).toBeGreaterThan(8.4);
  for (let i = 0; i < 20; i++) load.sample(100, 100, 0, 0.5);
  expect(load.hold).toBeGreaterThan(7);
  for (let i = 0; i < 2_000; i++) load.sample(100, 100, 0, 0.5);
  expect(load.hold).toBe(5);
});

test("a single stream in a long utterance does not make all others look as large", () => {
  const load = new KindLoad({ hold: 5, compute: 0 });
  for (let i = 0; i < 60; i++) load.sample(119, 1, 0, 0.5);
  expect(load.hold).toBeLessThan(20);
});
