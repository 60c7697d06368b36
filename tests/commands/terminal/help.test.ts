import { expect, test } from "bun:test";

import type { ArgsDef } from "citty";

import { formatHelp } from "../../../src/commands/terminal/help.ts";

const FLAGS: ArgsDef = {
  file: { type: "positional", description: "The file" },
  input: { type: "string", alias: "i", valueHint: "FILE", description: "The input, described in a few more words" },
  set: { type: "string", valueHint: "KEY=VALUE...", description: "A key" },
  "a-flag-with-a-long-name": { type: "string", valueHint: "ONE|TWO|THREE", description: "Below its name" },
  raw: { type: "boolean", description: "No header" },
};

const help = (columns: number) => formatHelp({ name: "streamer play", description: "Plays", flags: FLAGS }, columns);

test("the help of a command has its arguments and flags, and wraps the descriptions at the width of the terminal", () => {
  expect(help(50)).toBe(`streamer play: Plays

Usage: streamer play [FILE] [FLAGS]

Arguments:
  FILE  The file

Flags:
  -i, --input=<FILE>     The input, described in a
                         few more words
      --set=<KEY=VALUE>  A key
      --a-flag-with-a-long-name=<ONE|TWO|THREE>
                         Below its name
      --raw              No header
`);
});

test("the help has at most 100 columns on a wide terminal", () => {
  expect(help(1000)).toBe(help(100));
});
