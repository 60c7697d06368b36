import { expect, test } from "bun:test";

import {
  MAX_OUTPUT_LINE,
  MAX_OUTPUT_LINES,
  OUTPUT_PERIOD_MS,
  PROGRESS_PERIOD_MS,
  type RelayedLine,
  relayOutput,
} from "../../src/pool/child-output.ts";
import { ENDLESS_OUTPUTS, whileItPrints } from "../support/endless-output.ts";

/** @param step time between two parts, ms */
async function relayed(parts: readonly (string | Uint8Array)[], step = 0): Promise<RelayedLine[]> {
  const lines: RelayedLine[] = [];
  const left = [...parts];
  let now = 0;
  const source = {
    pull(controller: ReadableStreamDefaultController<Uint8Array>) {
      const part = left.shift();
      now += step;
      if (part === undefined) controller.close();
      else controller.enqueue(typeof part === "string" ? Buffer.from(part) : part);
    },
  };
  const stream = new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
  await relayOutput(stream, (line) => lines.push(line), { now: () => now });
  return lines;
}

const texts = (lines: readonly RelayedLine[]): string[] => lines.map(({ text }) => text);

test("what a process prints is cut into lines, and blank ones are left out", async () => {
  const lines = await relayed(["one\ntw", "o\r", "\n\n  \n\r\r\nthree\r\r\nlast"]);
  expect(texts(lines)).toEqual(["one", "two", "three", "last"]);
  expect(lines.every(({ leftOut }) => leftOut === 0)).toBeTrue();
});

test("of a progress bar, lines are relayed now and then, and the last one", async () => {
  const bar = (end: string): string[] => Array.from({ length: 11 }, (_, i) => `\r${i * 10} %${i === 10 ? end : ""}`);
  for (const end of ["\n", "\r\n", "\r", ""]) {
    const lines = await relayed(bar(end), PROGRESS_PERIOD_MS / 4);
    expect(texts(lines)).toEqual(["0 %", "40 %", "80 %", "100 %"]);
    expect(lines.every(({ leftOut }) => leftOut === 0)).toBeTrue();
  }
  expect(texts(await relayed(["50 %\r", "90 %\rdone\n"]))).toEqual(["50 %", "done"]);
});

test("a line that is too long is cut, and the next one is whole", async () => {
  const lines = await relayed(["x".repeat(MAX_OUTPUT_LINE - 1), "yz", "z".repeat(100_000), "\nnext\n"]);
  expect(texts(lines)).toEqual([`${"x".repeat(MAX_OUTPUT_LINE - 1)}y`, "next"]);
});

test("characters are whole, however their bytes arrive, and what is no UTF-8 does not disturb the next line", async () => {
  const bytes = Buffer.from("ü€😀\r\nnext\n").toString("latin1");
  for (let cut = 0; cut <= bytes.length; cut++) {
    const parts = [bytes.slice(0, cut), bytes.slice(cut)].map((part) => Buffer.from(part, "latin1"));
    expect(texts(await relayed(parts))).toEqual(["ü€😀", "next"]);
  }
  expect(texts(await relayed([Buffer.from("\xe2\x82\nnext", "latin1")]))).toEqual(["\ufffd", "next"]);
  const long = "€".repeat(MAX_OUTPUT_LINE);
  expect(texts(await relayed([`${long}€\n`]))).toEqual([long]);
});

test("lines that are too many are counted with the next one, or at the end", async () => {
  const many = Array.from({ length: MAX_OUTPUT_LINES + 5 }, (_, i) => `line ${i}\n`);
  const atOnce = await relayed([many.join("")]);
  expect(atOnce.length).toBe(MAX_OUTPUT_LINES + 1);
  expect(atOnce.at(-1)).toEqual({ text: "", leftOut: 5 });
  const later = await relayed([many.join(""), "later\n"], OUTPUT_PERIOD_MS);
  expect(later.at(-1)).toEqual({ text: "later", leftOut: 5 });
});

test.each(ENDLESS_OUTPUTS)(
  "a process that prints %s without pause leaves the event loop to others",
  async (_, command) => {
    const lines: RelayedLine[] = [];
    await whileItPrints(command, (stream) => relayOutput(stream, (line) => lines.push(line)));
    expect(lines.length).toBeLessThanOrEqual(1);
  },
);
