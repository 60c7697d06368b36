import { expect, test } from "bun:test";

import { untilAborted } from "../../src/lib/until-aborted.ts";
import { rejection } from "../support/wire.ts";

test("a promise that settles before the signal keeps its value or its reason", async () => {
  const { signal } = new AbortController();
  expect(await untilAborted(Promise.resolve(7), signal)).toBe(7);
  expect(await rejection(untilAborted(Promise.reject(new Error("no")), signal))).toEqual(new Error("no"));
});

test("an aborted signal ends the wait with its reason, whatever the promise does later", async () => {
  const controller = new AbortController();
  const { promise, reject } = Promise.withResolvers<number>();
  const waiting = rejection(untilAborted(promise, controller.signal));
  controller.abort("given up");
  expect(await waiting).toBe("given up");
  reject(new Error("too late"));
  expect(await rejection(untilAborted(new Promise(() => {}), controller.signal))).toBe("given up");
});
