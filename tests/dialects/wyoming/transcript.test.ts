import { expect, test } from "bun:test";

import { MAX_CHARACTERS, Transcript } from "../../../src/dialects/wyoming/transcript.ts";

test("a command whose transcript is too long is an error, and keeps nothing", () => {
  const transcript = new Transcript();
  const text = "x".repeat(MAX_CHARACTERS / 4);
  for (let n = 0; n < 4; n++) expect(transcript.add(text, n, undefined).length).toBeGreaterThan(0);
  expect(transcript.add("more", 4, undefined)).toEqual([]);
  expect(transcript.add("and more", 5, undefined)).toEqual([]);
  expect(transcript.end("en")).toMatchObject({ messages: [], failure: { code: "message_too_big" } });
});

test("a command whose transcript is as long as allowed has it", () => {
  const transcript = new Transcript();
  transcript.add("x".repeat(MAX_CHARACTERS), 0, undefined);
  expect(transcript.end("en").messages).toHaveLength(2);
  expect(transcript.end("en").failure).toBeUndefined();
});
