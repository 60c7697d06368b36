import { expect, test } from "bun:test";

import { Screen } from "../../../src/commands/terminal/screen.ts";
import { MemoryOutput } from "../../support/memory-output.ts";

function output(isTerminal: boolean): MemoryOutput {
  return new MemoryOutput({ isTerminal, columns: 20 });
}

/** Returns the lines that a terminal shows after these writes. Supports the two control sequences of Screen. */
function linesShown(writes: readonly string[]): string[] {
  const lines: string[] = [];
  for (const line of writes.join("").replaceAll("\u001B[J", "").replaceAll("\u001B[", "\n^").split("\n")) {
    const [, up, rest = ""] = /^\^(\d+)F(.*)$/.exec(line) ?? [];
    if (up !== undefined) lines.length -= Number(up);
    const text = up === undefined ? line : rest;
    if (text !== "") lines.push(text);
  }
  return lines;
}

test("live lines stay below printed lines and are updated in place", () => {
  const terminal = output(true);
  const screen = new Screen(terminal, terminal, { colour: false });
  screen.setLive("b", "second 1");
  screen.setLive("a", "first 1");
  void screen.print("result 1");
  screen.setLive("b", "second 2");
  void screen.notice("notice");
  expect(linesShown(terminal.writes)).toEqual(["result 1", "notice", "first 1", "second 2"]);
  screen.setLive("a", undefined);
  void screen.print("result 2");
  expect(linesShown(terminal.writes)).toEqual(["result 1", "notice", "result 2", "second 2"]);
  screen.clearLive();
  expect(linesShown(terminal.writes)).toEqual(["result 1", "notice", "result 2"]);
});

test("a live line is cut to the width of the terminal, since a wrapped line could not be erased", () => {
  const terminal = output(true);
  const screen = new Screen(terminal, terminal, { colour: false });
  screen.setLive("a", "x".repeat(50));
  expect(linesShown(terminal.writes)).toEqual(["x".repeat(19)]);
});

test("without a terminal, nothing but the printed lines is written", () => {
  const out = output(false);
  const err = output(false);
  const screen = new Screen(out, err, { colour: true });
  screen.setLive("a", "progress");
  void screen.print(screen.paint("red", "result"));
  void screen.notice("notice");
  screen.clearLive();
  expect([out.writes, err.writes]).toEqual([["result\n"], ["notice\n"]]);
  expect(screen.resultsOnTerminal || screen.noticesOnTerminal).toBe(false);
});

test("results that go to a file are not mixed with the live lines", () => {
  const out = output(false);
  const err = output(true);
  const screen = new Screen(out, err, { colour: true });
  screen.setLive("progress", "10 %");
  void screen.print("result");
  screen.setLive("progress", "20 %");
  expect(out.writes).toEqual(["result\n"]);
  expect(linesShown(err.writes)).toEqual(["20 %"]);
});

test("colours are used on terminals only", () => {
  const terminal = output(true);
  expect(new Screen(terminal, terminal, { colour: true }).paint("red", "x")).toBe("\u001B[31mx\u001B[0m");
  expect(new Screen(terminal, terminal, { colour: false }).paint("red", "x")).toBe("x");
});
