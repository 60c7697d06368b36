import { describe, expect, test } from "bun:test";

import { Screen } from "../../../src/commands/terminal/screen.ts";
import { MemoryOutput } from "../../support/memory-output.ts";
import { linesShown, TerminalView } from "../../support/terminal-view.ts";

const COLUMNS = 20;

function output(isTerminal: boolean): MemoryOutput {
  return new MemoryOutput({ isTerminal, columns: COLUMNS });
}

/** Returns the lines that a terminal shows. */
async function shown({ text }: MemoryOutput): Promise<string[]> {
  return await linesShown(text, COLUMNS);
}

test("live lines stay below printed lines and are updated in place", async () => {
  const terminal = output(true);
  const screen = new Screen(terminal, terminal, { colour: false });
  screen.setLive("b", "second 1");
  screen.setLive("a", "first 1");
  void screen.print("result 1");
  screen.setLive("b", "second 2");
  void screen.notice("notice");
  expect(await shown(terminal)).toEqual(["result 1", "notice", "first 1", "second 2"]);
  screen.setLive("a", undefined);
  void screen.print("result 2");
  expect(await shown(terminal)).toEqual(["result 1", "notice", "result 2", "second 2"]);
  screen.clearLive();
  expect(await shown(terminal)).toEqual(["result 1", "notice", "result 2"]);
});

test("a live line is cut to the width of the terminal, in which some characters take two columns", async () => {
  const terminal = output(true);
  const screen = new Screen(terminal, terminal, { colour: false });
  screen.setLive("a", "x".repeat(50));
  screen.setLive("b", "日本語".repeat(10));
  expect(await shown(terminal)).toEqual(["x".repeat(19), "日本語日本語日本語"]);
});

test("there are no more live lines than the terminal can show", async () => {
  const terminal = new MemoryOutput({ isTerminal: true, columns: COLUMNS });
  terminal.resize(COLUMNS, 4);
  const screen = new Screen(terminal, terminal, { colour: false });
  for (const name of "abcdef") screen.setLive(name, `${name} 1`);
  void screen.print("result");
  for (const name of "abcdef") screen.setLive(name, `${name} 2`);
  expect(await linesShown(terminal.text, COLUMNS, 4)).toEqual(["result", "a 2", "b 2", "c 2"]);
});

describe("when the width of the terminal changes", () => {
  const WIDE = "interim of many words that fill the line";

  /** Draws live lines, changes the width, updates the first one, and returns what is shown, also when all are gone. */
  async function afterResize(before: number, after: number, terminal: MemoryOutput, lines: readonly string[]) {
    const view = new TerminalView(before);
    const screen = new Screen(terminal, terminal, { colour: false });
    let written = 0;
    const show = async () => {
      for (; written < terminal.writes.length; written++) await view.write(terminal.writes[written] ?? "");
      return view.lines;
    };
    void screen.print("result");
    for (const line of lines) screen.setLive(line, `${line} ${WIDE}`);
    await show();
    view.resize(after);
    terminal.resize(after);
    const resized = await show();
    screen.setLive(lines[0] ?? "", `new ${WIDE}`);
    const updated = await show();
    screen.clearLive();
    return { resized, updated, cleared: await show() };
  }

  const WIDTHS = [
    [60, 25],
    [60, 10],
    [25, 60],
    [45, 44],
  ] as const;

  test.each(WIDTHS)("from %d to %d columns, no stale live line stays", async (before, after) => {
    const terminal = new MemoryOutput({ isTerminal: true, columns: before });
    const cut = (text: string) => `${text} ${WIDE}`.slice(0, after - 1);
    expect(await afterResize(before, after, terminal, ["1"])).toEqual({
      resized: ["result", cut("1")],
      updated: ["result", cut("new")],
      cleared: ["result"],
    });
  });

  test.each(WIDTHS)("from %d to %d columns of xterm.js, no stale line of several stays", async (before, after) => {
    const terminal = new MemoryOutput({ isTerminal: true, columns: before });
    terminal.isXtermJs = true;
    const cut = (text: string) => `${text} ${WIDE}`.slice(0, after - 1);
    expect(await afterResize(before, after, terminal, ["1", "2", "3"])).toEqual({
      resized: ["result", cut("1"), cut("2"), cut("3")],
      updated: ["result", cut("new"), cut("2"), cut("3")],
      cleared: ["result"],
    });
  });

  test("a line that is drawn for a width that the terminal no longer has is not wrapped", async () => {
    const terminal = new MemoryOutput({ isTerminal: true, columns: 60 });
    const screen = new Screen(terminal, terminal, { colour: false });
    void screen.print("result");
    screen.setLive("a", WIDE);
    screen.setLive("b", WIDE);
    screen.clearLive();
    expect(await linesShown(terminal.text, 30)).toEqual(["result"]);
  });
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

test("results that go to a file are not mixed with the live lines", async () => {
  const out = output(false);
  const err = output(true);
  const screen = new Screen(out, err, { colour: true });
  screen.setLive("progress", "10 %");
  void screen.print("result");
  screen.setLive("progress", "20 %");
  expect(out.writes).toEqual(["result\n"]);
  expect(await shown(err)).toEqual(["20 %"]);
});

test("colours are used on terminals only", () => {
  const terminal = output(true);
  expect(new Screen(terminal, terminal, { colour: true }).paint("red", "x")).toBe("\u001B[31mx\u001B[0m");
  expect(new Screen(terminal, terminal, { colour: false }).paint("red", "x")).toBe("x");
});

test("on a terminal, a long line with an indentation is broken at spaces; elsewhere it stays whole", () => {
  const line = "total   one two three four five";
  const terminal = new MemoryOutput({ isTerminal: true, columns: 31 });
  void new Screen(terminal, terminal, { colour: false }).print(line, 8);
  expect(terminal.text).toBe("total   one two three four\n        five\n");
  const file = output(false);
  void new Screen(file, file, { colour: false }).print(line, 8);
  expect(file.text).toBe(`${line}\n`);
});
