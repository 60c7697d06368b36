import { describe, expect, test } from "bun:test";

import { resolveSettings } from "../../src/model/settings.ts";

const settings = { size: { default: 3, unit: "Hz" }, words: { default: ["a"] }, weights: { default: null } };

describe("a model that describes its settings", () => {
  test("gets the defaults of settings that are not configured", () => {
    expect(resolveSettings({ settings }, { size: 4 })).toEqual({
      settings: { size: 4, words: ["a"], weights: null },
      problems: [],
    });
  });

  test("has unknown names and other types refused, all at once", () => {
    const { problems } = resolveSettings({ settings }, { siz: 1, size: "big", words: {}, weights: "any", toString: 1 });
    expect(problems).toEqual([
      'unknown setting "siz"; did you mean "size"?',
      'size: found "big"; allowed: a number',
      "words: found an object; allowed: an array",
      'unknown setting "toString"; allowed: size, words, weights',
    ]);
  });

  test("without any settings has every one refused", () => {
    expect(resolveSettings({ settings: {} }, { size: 1 }).problems).toEqual(['unknown setting "size"; allowed: none']);
  });

  test("may refuse settings itself, which include the defaults", () => {
    const validated: unknown[] = [];
    const validate = (given: Record<string, unknown>): string[] => {
      validated.push(given);
      return given["size"] === "big" ? ["size: 1 to 5 is allowed"] : [];
    };
    expect(resolveSettings({ settings, validate }, { size: "big" }).problems).toEqual(["size: 1 to 5 is allowed"]);
    expect(resolveSettings({ settings, validate }, { size: true }).problems).toEqual([
      "size: found true; allowed: a number",
    ]);
    expect(validated).toEqual([
      { size: "big", words: ["a"], weights: null },
      { size: true, words: ["a"], weights: null },
    ]);
  });
});

test("a model without descriptions gets all settings as configured", () => {
  expect(resolveSettings({}, { anything: 1 })).toEqual({ settings: { anything: 1 }, problems: [] });
});
