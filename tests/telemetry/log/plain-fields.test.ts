import { expect, test } from "bun:test";

import { plainFields } from "../../../src/telemetry/log/plain-fields.ts";

test("an error has its stack and its cause", () => {
  const { error } = plainFields({ error: new TypeError("outer", { cause: new Error("inner") }) });
  expect(error).toMatchObject({
    name: "TypeError",
    message: "outer",
    stack: expect.stringContaining("plain-fields.test.ts"),
    cause: { message: "inner" },
  });
});

test("a stack that is a field of its own keeps its lines, without other control characters", () => {
  const stack = "Error: odd\u001B[2J\n    at infer (model.ts:1:2)\n    at main";
  expect(plainFields({ stack })).toEqual({ stack: stack.replace("\u001B", "\\u{1b}") });
  expect(JSON.stringify(plainFields({ cause: { stack } }))).not.toContain("u{a}");
});

test("values that JSON does not have become text", () => {
  expect(plainFields({ nan: NaN, infinity: -Infinity, big: 1n, symbol: Symbol("s"), code: () => 0 })).toEqual({
    nan: "NaN",
    infinity: "-Infinity",
    big: "1",
    symbol: "Symbol(s)",
    code: "function",
  });
  expect(plainFields({ samples: new Float32Array(9) })).toEqual({ samples: "Float32Array(36 bytes)" });
});

test("long strings, long lists and deep objects are cut", () => {
  const { text, list, deep } = plainFields({
    text: "x".repeat(9_999),
    list: Array.from({ length: 10_000 }, (_, index) => index),
    deep: { a: { b: { c: { d: { e: 1 } } } } },
  });
  expect(text).toBe(`${"x".repeat(1_024)}…`);
  expect(list).toHaveLength(64);
  expect(deep).toEqual({ a: { b: { c: { d: "{...}" } } } });
});

test("a cycle is cut", () => {
  const cycle: Record<string, unknown> = { n: 1 };
  cycle["self"] = cycle;
  expect(plainFields({ cycle })).toEqual({
    cycle: { n: 1, self: { n: 1, self: { n: 1, self: { n: 1, self: "{...}" } } } },
  });
});

test("secrets are redacted, by the name of their field and inside texts", () => {
  const fields = plainFields({
    authorization: "Bearer s3cret",
    headers: { Cookie: "s3cret", accept: "text/plain" },
    url: "/api/v1/simple?ticket=s3cret&model=a",
    error: new Error("GET /x?access_token=s3cret failed", { cause: "Bearer s3cret" }),
  });
  expect(JSON.stringify(fields)).not.toContain("s3cret");
  expect(fields).toMatchObject({
    authorization: "[redacted]",
    headers: { accept: "text/plain" },
    url: "/api/v1/simple?ticket=[redacted]&model=a",
  });
});
