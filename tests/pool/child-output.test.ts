import { expect, test } from "bun:test";

import {
  MAX_OUTPUT_LINE,
  MAX_OUTPUT_LINES,
  OUTPUT_PERIOD_MS,
  type RelayedLine,
  relayOutput,
} from "../../src/pool/child-output.ts";

/** @param step time between two parts, ms */
async function relayed(parts: readonly string[], step = 0): Promise<RelayedLine[]> {
  const lines: RelayedLine[] = [];
  const left = [...parts];
  let now = 0;
  const source = {
    pull(controller: ReadableStreamDefaultController<Uint8Array>) {
      const part = left.shift();
      now += step;
      if (part === undefined) controller.close();
      else controller.enqueue(Buffer.from(part));
    },
  };
  const stream = new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
  await relayOutput(
    stream,
    (line) => lines.push(line),
    () => now,
  );
  return lines;
}

const texts = (lines: readonly RelayedLine[]): string[] => lines.map(({ text }) => text);

test("what a process prints is cut into lines, also by a progress bar, and blank ones are left out", async () => {
  const lines = await relayed(["one\ntw", "o\r\n\n  \n10 %\r50 %\r100 %\nlast"]);
  expect(texts(lines)).toEqual(["one", "two", "10 %", "50 %", "100 %", "last"]);
  expect(lines.every(({ leftOut }) => leftOut === 0)).toBeTrue();
});

test("a line that is too long is cut, and the next one is whole", async () => {
  const lines = await relayed(["x".repeat(MAX_OUTPUT_LINE - 1), "yz", "z".repeat(100_000), "\nnext\n"]);
  expect(texts(lines)).toEqual([`${"x".repeat(MAX_OUTPUT_LINE - 1)}y`, "next"]);
});

test("lines that are too many are counted with the next one, or at the end", async () => {
  const many = Array.from({ length: MAX_OUTPUT_LINES + 5 }, (_, i) => `line ${i}\n`);
  const atOnce = await relayed([many.join("")]);
  expect(atOnce.length).toBe(MAX_OUTPUT_LINES + 1);
  expect(atOnce.at(-1)).toEqual({ text: "", leftOut: 5 });
  const later = await relayed([many.join(""), "later\n"], OUTPUT_PERIOD_MS);
  expect(later.at(-1)).toEqual({ text: "later", leftOut: 5 });
});
