import { expect, test } from "bun:test";

import type { ReceivedEvent } from "../../../src/client/event-reader.ts";
import { EventPrinter } from "../../../src/commands/send/event-printer.ts";
import { Screen } from "../../../src/commands/terminal/screen.ts";
import { MemoryOutput } from "../../support/memory-output.ts";
import { linesShown } from "../../support/terminal-view.ts";

/** Prints events on a terminal, or to a pipe. */
class Printed {
  readonly out: MemoryOutput;
  readonly #printer: EventPrinter;

  constructor(columns: number, options: { isTerminal?: boolean; colour?: boolean } = {}) {
    this.out = new MemoryOutput({ isTerminal: options.isTerminal ?? true, columns });
    this.#printer = new EventPrinter(new Screen(this.out, this.out, { colour: options.colour ?? false }));
  }

  segment(channel: number, end: number, isFinal: boolean, output: Record<string, unknown>, latencyMs?: number): void {
    const event = { type: "segment", channel, start_time: 1.2, end_time: end, is_final: isFinal, ...output };
    const received = { event, text: JSON.stringify(event), receivedMs: 0 } as unknown as ReceivedEvent;
    void this.#printer.print(received, latencyMs);
  }

  get lines(): Promise<string[]> {
    return linesShown(this.out.text, this.out.columns);
  }
}

const SENTENCE =
  "unless to be rather cold hearted and rather selfish is to be ill disposed as the reader of the novel says";

test("on a terminal, the words of two speakers are updated in place while they speak, and replaced by the final ones", async () => {
  const printed = new Printed(100);
  printed.segment(0, 1.7, false, { text: "he was" });
  printed.segment(1, 1.9, false, { text: "go for" });
  printed.segment(0, 2.2, false, { text: "he was not an ill" });
  expect(await printed.lines).toEqual([
    '[0]      1.20 -    2.20  interim "he was not an ill"',
    '[1]      1.20 -    1.90  interim "go for"',
  ]);
  printed.segment(1, 3.1, true, { text: "go forward ten meters", words: [{ word: "go", start: 1.3, end: 1.5 }] }, 640);
  expect(await printed.lines).toEqual([
    '[1]      1.20 -    3.10  final  "go forward ten meters"   640 ms after end of speech',
    '[0]      1.20 -    2.20  interim "he was not an ill"',
  ]);
  printed.segment(0, 3.4, true, { text: "he was not an ill disposed young man" });
  expect(await printed.lines).toEqual([
    '[1]      1.20 -    3.10  final  "go forward ten meters"   640 ms after end of speech',
    '[0]      1.20 -    3.40  final  "he was not an ill disposed young man"',
  ]);
});

test("of an interim that is wider than the terminal, the newest words are shown; a final one is continued below", async () => {
  const printed = new Printed(80);
  printed.segment(0, 5.2, false, { text: SENTENCE });
  expect(await printed.lines).toEqual([
    '[0]      1.20 -    5.20  interim ... disposed as the reader of the novel says"',
  ]);
  printed.segment(0, 5.4, true, { text: SENTENCE });
  expect(await printed.lines).toEqual([
    '[0]      1.20 -    5.40  final  "unless to be rather cold hearted and rather',
    "                         selfish is to be ill disposed as the reader of the",
    '                         novel says"',
  ]);
});

test("the latency of a final result is never broken", async () => {
  const printed = new Printed(80);
  printed.segment(1, 3.1, true, { text: "eight of spades four of clubs seven" }, 640);
  expect(await printed.lines).toEqual([
    '[1]      1.20 -    3.10  final  "eight of spades four of clubs seven"',
    "                         640 ms after end of speech",
  ]);
});

test("the words of each channel have a colour of their own, their numbers and times have none", () => {
  const printed = new Printed(100, { colour: true });
  printed.segment(0, 2, true, { text: "left", count: 5 });
  printed.segment(1, 2, true, { text: "right" });
  expect(printed.out.text).toContain('final  \u001B[36m"left"\u001B[0m count=5\n');
  expect(printed.out.text).toContain('final  \u001B[35m"right"\u001B[0m\n');
});

test("in a pipe, interims are lines in full, and nothing is coloured", () => {
  const printed = new Printed(80, { isTerminal: false, colour: true });
  printed.segment(0, 5.2, false, { text: SENTENCE });
  printed.segment(0, 5.4, true, { text: SENTENCE });
  expect(printed.out.text).toBe(
    `[0]      1.20 -    5.20  interim "${SENTENCE}"\n[0]      1.20 -    5.40  final  "${SENTENCE}"\n`,
  );
});
