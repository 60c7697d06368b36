import { expect, test } from "bun:test";

import { ProgressBar } from "../../../src/commands/send/progress-bar.ts";
import { Screen } from "../../../src/commands/terminal/screen.ts";
import { MemoryOutput } from "../../support/memory-output.ts";

function progress(totalSeconds: number | undefined, isTerminal = true): { bar: ProgressBar; lines: () => string[] } {
  const output = new MemoryOutput({ isTerminal, columns: 100 });
  const screen = new Screen(new MemoryOutput(), output, { colour: false });
  const lines = () => output.text.split("\n").map((line) => line.replaceAll("\u001B[1F\u001B[J", ""));
  return { bar: new ProgressBar(screen, totalSeconds), lines };
}

test("the bar shows the share of the audio, every 100 ms at most", () => {
  const { bar, lines } = progress(20);
  bar.update(5, 1000);
  bar.update(6, 1099);
  bar.update(10, 1100);
  expect(lines()).toEqual([
    "[########......................] 25 %  5.0 of 20.0 s sent",
    "[###############...............] 50 %  10.0 of 20.0 s sent",
    "",
  ]);
});

test("without a known length there are seconds only", () => {
  const { bar, lines } = progress(undefined);
  bar.update(5, 0);
  expect(lines()).toEqual(["5.0 s sent", ""]);
});

test("nothing is shown without a terminal", () => {
  const { bar, lines } = progress(20, false);
  bar.update(5, 0);
  expect(lines()).toEqual([""]);
});
