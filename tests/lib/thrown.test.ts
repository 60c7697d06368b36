import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";

import { codeOf, messageOf } from "../../src/lib/thrown.ts";
import { rejection } from "../support/wire.ts";

test("a message is that of the error, or the value itself", () => {
  expect(messageOf(new TypeError("no"))).toBe("no");
  expect(messageOf("no")).toBe("no");
  expect(messageOf(undefined)).toBe("undefined");
});

test("only a system error has a code", async () => {
  expect(codeOf(await rejection(readFile("/no/such/file")))).toBe("ENOENT");
  expect(codeOf(new Error("no"))).toBeUndefined();
  expect(codeOf({ code: "ENOENT" })).toBeUndefined();
});
