import { expect, test } from "bun:test";

import { divideConfig, divisionWarnings } from "../../../src/server/processes/division.ts";
import { configure } from "../../support/in-process-server.ts";

const config = configure({
  "limits.arena_mb": 10,
  "model.workers": 5,
  "models.other.name": "levels",
  "models.other.workers": 2,
});
const parts = (count: number) => Array.from({ length: count }, (_, i) => divideConfig(config, i + 1, count));

test("memory and workers of every model are divided, and the parts add up to the whole", () => {
  const all = parts(3);
  expect(all.map(({ limits }) => limits.arena_mb)).toEqual([4, 3, 3]);
  expect(all.map(({ model }) => model.workers)).toEqual([2, 2, 1]);
  expect(divisionWarnings(config, 2)).toEqual([]);
});

test("every process has at least one worker, which a warning reports when there are fewer", () => {
  expect(parts(3).map(({ models }) => models["other"]?.workers)).toEqual([1, 1, 1]);
  expect(divisionWarnings(config, 3)).toEqual([
    "models.other.workers: found 2, less than one for each of 3 processes; each gets 1",
  ]);
});

test("a remote model has a worker in every process, without a warning", () => {
  const settings = { "models.far.name": "remote", "models.far.urls": "http://a", "models.far.model": "m" };
  expect(divisionWarnings(configure({ "model.workers": 3, ...settings }), 3)).toEqual([]);
});

test("what is counted for all processes together is not divided", () => {
  for (const { limits } of parts(4)) expect(limits.max_sessions).toBe(config.limits.max_sessions);
});
