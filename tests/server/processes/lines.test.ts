import { expect, test } from "bun:test";

import { MAX_LINE_CHARACTERS, relayLines } from "../../../src/server/processes/lines.ts";
import { ENDLESS_OUTPUTS, whileItPrints } from "../../support/endless-output.ts";

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
    const lines = await relayed(text.slice(0, cut), text.slice(cut));
    expect(lines.join("")).toBe('{"a":"ü€"}\n\nlast\n');
    expect(lines.every((line) => line.endsWith("\n"))).toBeTrue();
  }
});

test("a line without an end is cut, so that it does not fill the memory", async () => {
  const lines = await relayed("x".repeat(3 * MAX_LINE_CHARACTERS));
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.join("").replaceAll("\n", "")).toHaveLength(3 * MAX_LINE_CHARACTERS);
});

test("each record comes by itself, and other lines come together", async () => {
  const [first, second] = ['{"level":"info","event":"a"}\n', '{"level":"info","event":"b"}\n'];
  const text = `one\n\n${first}${second}two\nthree\n${first}four`;
  expect(await relayed(text)).toEqual(["one\n\n", first, second, "two\nthree\n", first, "four\n"]);
});

test.each(ENDLESS_OUTPUTS)(
  "a process that prints %s without pause leaves the event loop to others",
  async (_, command) => {
    let bytes = 0;
    const read = (stream: ReadableStream<Uint8Array>) => relayLines(stream, (lines) => (bytes += lines.length));
    await whileItPrints(command, read, () => bytes > 0);
    expect(bytes).toBeGreaterThan(0);
  },
);
