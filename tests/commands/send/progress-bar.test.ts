import { expect, test } from "bun:test";

import { ProgressBar } from "../../../src/commands/send/progress-bar.ts";
import { Screen } from "../../../src/commands/terminal/screen.ts";
import { MemoryOutput } from "../../support/memory-output.ts";

function progress(totalSeconds: number | undefined, isTerminal = true): { bar: ProgressBar; lines: () => string[] } {
  const output = new MemoryOutput({ isTerminal, columns: 100 });
  const screen = new Screen(new MemoryOutput(), output, { colour: false });
  const lines = () => output.writes.map((text) => Bun.stripANSI(text).trim());
  return { bar: new ProgressBar(screen, totalSeconds), lines };
}

test("the bar shows the share of the audio, every 100 ms at most", () => {
  const { bar, lines } = progress(20);
  bar.update(5, 1000);
  bar.update(6, 1099);
  bar.update(10, 1100);
  expect(lines()).toEqual([
    "[########......................] 25 %  0:05 of 0:20 sent",
    "[###############...............] 50 %  0:10 of 0:20 sent",
  ]);
});

test("at its end the bar is complete, however short the last 100 ms were", () => {
  const { bar, lines } = progress(3700);
  bar.update(1, 1000);
  bar.finish(3700);
  expect(lines().at(-1)).toBe("[##############################] 100 %  1:01:40 of 1:01:40 sent");
});

test("without a known length there is the clock only", () => {
  const { bar, lines } = progress(undefined);
  bar.update(5, 0);
  expect(lines()).toEqual(["0:05 sent"]);
});

test("nothing is shown without a terminal", () => {
  const { bar, lines } = progress(20, false);
  bar.update(5, 0);
  expect(lines()).toEqual([]);
});
