import { expect, test } from "bun:test";

import { MAX_LINE_CHARACTERS, relayLines } from "../../../src/server/processes/lines.ts";

async function relayed(...parts: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  const bytes = parts.map((part) => Uint8Array.from(part, (character) => character.charCodeAt(0)));
  await relayLines(new Blob(bytes).stream(), (line) => lines.push(line));
  return lines;
}

/** The bytes of UTF-8 as characters. */
const utf8 = (text: string): string => Buffer.from(text).toString("latin1");

test("lines are relayed whole, however their bytes arrive, the last one without a line feed, too", async () => {
  const text = utf8('{"a":"ü€"}\n\nlast');
  for (let cut = 0; cut <= text.length; cut++) {
    expect(await relayed(text.slice(0, cut), text.slice(cut))).toEqual(['{"a":"ü€"}\n', "\n", "last\n"]);
  }
});

test("a line without an end is cut, so that it does not fill the memory", async () => {
  const lines = await relayed("x".repeat(3 * MAX_LINE_CHARACTERS));
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.join("").replaceAll("\n", "")).toHaveLength(3 * MAX_LINE_CHARACTERS);
});
