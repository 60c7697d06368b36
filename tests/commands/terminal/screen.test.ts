import { expect, test } from "bun:test";

import { type Output, Screen } from "../../../src/commands/terminal/screen.ts";

function output(isTerminal: boolean, written: string[]): Output {
  return { isTerminal, columns: 20, write: (text) => void written.push(text) };
}

/** What a terminal shows after these writes; knows the two sequences that are used. */
function shown(writes: readonly string[]): string[] {
  const lines: string[] = [];
  for (const line of writes.join("").replaceAll("\u001B[J", "").replaceAll("\u001B[", "\n^").split("\n")) {
    const [, up, rest = ""] = /^\^(\d+)F(.*)$/.exec(line) ?? [];
    if (up !== undefined) lines.length -= Number(up);
    const text = up === undefined ? line : rest;
    if (text !== "") lines.push(text);
  }
  return lines;
}

test("changing lines stay below what is permanent and are replaced in place", () => {
  const terminal: string[] = [];
  const screen = new Screen(output(true, terminal), output(true, terminal), { colour: false });
  screen.live("b", "second 1");
  screen.live("a", "first 1");
  void screen.print("result 1");
  screen.live("b", "second 2");
  void screen.note("notice");
  expect(shown(terminal)).toEqual(["result 1", "notice", "first 1", "second 2"]);
  screen.live("a", undefined);
  void screen.print("result 2");
  expect(shown(terminal)).toEqual(["result 1", "notice", "result 2", "second 2"]);
  screen.clear();
  expect(shown(terminal)).toEqual(["result 1", "notice", "result 2"]);
});

test("a changing line never wraps, for it could not be erased then", () => {
  const terminal: string[] = [];
  const screen = new Screen(output(true, terminal), output(true, terminal), { colour: false });
  screen.live("a", "x".repeat(50));
  expect(shown(terminal)).toEqual(["x".repeat(19)]);
});

test("without a terminal nothing but the lines themselves is written", () => {
  const out: string[] = [];
  const err: string[] = [];
  const screen = new Screen(output(false, out), output(false, err), { colour: true });
  screen.live("a", "progress");
  void screen.print(screen.paint("red", "result"));
  void screen.note("notice");
  screen.clear();
  expect([out, err]).toEqual([["result\n"], ["notice\n"]]);
  expect(screen.inPlace || screen.showsProgress).toBe(false);
});

test("results that go to a file are not mixed with what the terminal shows", () => {
  const out: string[] = [];
  const err: string[] = [];
  const screen = new Screen(output(false, out), output(true, err), { colour: true });
  screen.live("progress", "10 %");
  void screen.print("result");
  screen.live("progress", "20 %");
  expect(out).toEqual(["result\n"]);
  expect(shown(err)).toEqual(["20 %"]);
});

test("colours are for terminals only", () => {
  const terminal = output(true, []);
  expect(new Screen(terminal, terminal, { colour: true }).paint("red", "x")).toBe("\u001B[31mx\u001B[0m");
  expect(new Screen(terminal, terminal, { colour: false }).paint("red", "x")).toBe("x");
});
