import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";

import { codeOf, messageOf } from "../../src/lib/thrown.ts";
import { rejection } from "../support/wire.ts";

test("a message is that of the error, or the value itself", () => {
  expect(messageOf(new TypeError("no"))).toBe("no");
  expect(messageOf("no")).toBe("no");
  expect(messageOf(undefined)).toBe("undefined");
});

test("a thrown object has the text that says most, and none is an error of its own", () => {
  expect(messageOf(new RangeError(""))).toBe("RangeError");
  expect(messageOf({ message: "no", code: 3 })).toBe("no");
  expect(messageOf({ code: 3 })).toBe('{"code":3}');
  expect(messageOf(["a", "b"])).toBe("a,b");
  expect(messageOf(Object.create(null))).toBe("a value without a text");
  expect(messageOf(Symbol("no"))).toBe("Symbol(no)");
});

test("only a system error has a code", async () => {
  expect(codeOf(await rejection(readFile("/no/such/file")))).toBe("ENOENT");
  expect(codeOf(new Error("no"))).toBeUndefined();
  expect(codeOf({ code: "ENOENT" })).toBeUndefined();
});
