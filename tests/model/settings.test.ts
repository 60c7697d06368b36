import { describe, expect, test } from "bun:test";

import { modelSettings } from "../../src/model/settings.ts";

const settings = { size: { default: 3, unit: "Hz" }, words: { default: ["a"] }, weights: { default: null } };

describe("a model that describes its settings", () => {
  test("gets defaults for what is not set", () => {
    expect(modelSettings({ settings }, { size: 4 })).toEqual({
      settings: { size: 4, words: ["a"], weights: null },
      problems: [],
    });
  });

  test("is not asked about unknown names and other types: they are refused, all at once", () => {
    const { problems } = modelSettings({ settings }, { siz: 1, size: "big", words: {}, weights: "any", toString: 1 });
    expect(problems).toEqual([
      "siz: unknown; did you mean size?",
      'size: found "big", allowed is a number',
      "words: found an object, allowed is an array",
      "toString: unknown; known are size, words, weights",
    ]);
  });

  test("says more itself when it can, of settings with their defaults", () => {
    const asked: unknown[] = [];
    const validate = (given: Record<string, unknown>): string[] => {
      asked.push(given);
      return given["size"] === "big" ? ["size: 1 to 5 is allowed"] : [];
    };
    expect(modelSettings({ settings, validate }, { size: "big" }).problems).toEqual(["size: 1 to 5 is allowed"]);
    expect(modelSettings({ settings, validate }, { size: true }).problems).toEqual([
      "size: found true, allowed is a number",
    ]);
    expect(asked).toEqual([
      { size: "big", words: ["a"], weights: null },
      { size: true, words: ["a"], weights: null },
    ]);
  });
});

test("a model that does not describe its settings gets whatever was set", () => {
  expect(modelSettings({}, { anything: 1 })).toEqual({ settings: { anything: 1 }, problems: [] });
});
