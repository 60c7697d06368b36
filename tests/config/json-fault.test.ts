import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { findJsonFault } from "../../src/config/json-fault.ts";

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("a fault in a JSON text", () => {
  test.each([
    ["", 0, "a value"],
    ["  ", 2, "a value"],
    ['{"a":1', 6, ", or }"],
    ['{"a":1,}', 7, "a key in double quotes"],
    ['{"a" 1}', 5, ":"],
    ["{a:1}", 1, "a key in double quotes or }"],
    ["{'a':1}", 1, "a key in double quotes or }"],
    ["[1 2]", 3, ", or ]"],
    ["[,]", 1, "a value or ]"],
    ["{} x", 3, "nothing more"],
    ["// c\n{}", 0, "a value"],
    ["[01]", 1, "a value or ]"],
    ["[1.]", 1, "a value or ]"],
    ["[nul]", 1, "a value or ]"],
    ['["a\nb"]', 3, "a closing quote, or a valid escape"],
    ['["\\x"]', 2, "a closing quote, or a valid escape"],
    ['["a', 3, "a closing quote, or a valid escape"],
  ])("of %p is at character %i", (text, offset, allowed) => {
    expect(findJsonFault(text)).toEqual({ offset, allowed });
  });

  test("is found exactly where JSON.parse refuses the text", () => {
    const damaged = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom("", ..."{}[],:\"'\\ \n\t\u0001\u007Fe-+.0x1/"))
      .map(([text, at, character]) => {
        const index = at % (text.length + 1);
        return text.slice(0, index) + character + text.slice(index + (at % 2));
      });
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), damaged), (text) => {
        expect(findJsonFault(text) === undefined).toBe(isJson(text));
      }),
      { numRuns: 5_000 },
    );
  });
});
