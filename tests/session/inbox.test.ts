import { expect, test } from "bun:test";

import fc from "fast-check";

import { Inbox } from "../../src/session/inbox.ts";

test("messages come out in the order in which they went in, texts and audio alike", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.uint8Array(), fc.constant(null)), { maxLength: 50 }), (steps) => {
      const inbox = new Inbox();
      const model: (string | Uint8Array)[] = [];
      for (const step of steps) {
        // null stands for taking one out.
        if (step === null) expect(inbox.shift()).toBe(model.shift() as string);
        else {
          inbox.push(step);
          model.push(step);
        }
        expect(inbox.empty).toBe(model.length === 0);
      }
      for (const message of model) expect(inbox.shift()).toBe(message);
      expect(inbox.shift()).toBeUndefined();
      expect(inbox.bytes).toBe(0);
    }),
  );
});

test("an empty text and an empty chunk are messages too", () => {
  const inbox = new Inbox();
  inbox.push("");
  inbox.push(new Uint8Array(0));
  expect(inbox.empty).toBe(false);
  expect(inbox.shift()).toBe("");
  expect(inbox.shift()).toHaveLength(0);
  expect(inbox.shift()).toBeUndefined();
});

test("messages without content count as well, so that no number of them goes unnoticed", () => {
  const inbox = new Inbox();
  for (let i = 0; i < 1000; i++) inbox.push(new Uint8Array(0));
  expect(inbox.bytes).toBeGreaterThanOrEqual(1000 * 16);
  while (!inbox.empty) inbox.shift();
  expect(inbox.bytes).toBe(0);
});

test("bytes are at least those of the content", () => {
  const inbox = new Inbox();
  inbox.push(new Uint8Array(1000));
  inbox.push("abc");
  expect(inbox.bytes).toBeGreaterThanOrEqual(1003);
  inbox.shift();
  expect(inbox.bytes).toBeLessThan(1000);
  inbox.clear();
  expect(inbox.bytes).toBe(0);
  expect(inbox.empty).toBe(true);
  expect(inbox.shift()).toBeUndefined();
});
