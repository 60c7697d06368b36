import { expect, test } from "bun:test";

import { compareValues } from "../../../../src/commands/model/checks/similarity.ts";

test("values are equal to the last bit, close up to rounding, or different", () => {
  expect(compareValues({ a: [1, "x", null] }, { a: [1, "x", null] })).toBe("equal");
  expect(compareValues({ a: Number.NaN }, { a: Number.NaN })).toBe("equal");
  expect(compareValues({ a: [1, 2] }, { a: [1.0005, 2] })).toBe("close");
  expect(compareValues({ a: 1 }, { a: 1.01 })).toBe("different");
  expect(compareValues({ a: "1" }, { a: 1 })).toBe("different");
});

test("a missing or an additional field is a difference", () => {
  expect(compareValues({ a: 1 }, { a: 1, b: 2 })).toBe("different");
  expect(compareValues({ a: 1, b: 2 }, { a: 1, c: 2 })).toBe("different");
  expect(compareValues([1, 2], [1])).toBe("different");
});
