import { expect, test } from "bun:test";

import { random } from "../../../src/model/built-in/random.ts";

test("the same seeds give the same numbers, neighbouring seeds unrelated ones", () => {
  const series = (...seeds: number[]): number[] => Array.from({ length: 8 }, random(...seeds));
  expect(series(1, 2, 3)).toEqual(series(1, 2, 3));
  const firsts = new Set<number>();
  for (let a = 0; a < 10; a++)
    for (let b = 0; b < 10; b++) for (let c = 0; c < 10; c++) firsts.add(series(a, b, c)[0]!);
  expect(firsts.size).toBe(1000);
});

test("numbers are spread evenly over [0, 1), within a series and over the first ones of many", () => {
  const buckets = (numbers: number[]): number[] => {
    const counts = Array<number>(10).fill(0);
    for (const number of numbers) counts[Math.floor(number * 10)]!++;
    return counts;
  };
  const draw = random(7);
  const series = Array.from({ length: 10_000 }, () => draw());
  const firsts = Array.from({ length: 10_000 }, (_, call) => random(0, 0, call)());
  // The seeds are fixed, so the result is, too. The standard deviation is 30.
  for (const count of [...buckets(series), ...buckets(firsts)]) expect(count).toBeWithin(880, 1120);
});
