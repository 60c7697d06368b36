import { describe, expect, test } from "bun:test";

import type { ArgsDef } from "citty";

import { completeLine } from "../../../src/commands/completion/command-line.ts";
import { REPLIES } from "../../../src/commands/completion/replies.ts";
import { splitWords } from "../../../src/commands/completion/shell-words.ts";
import { startKeys } from "../../../src/commands/completion/start-keys.ts";
import type { Commands } from "../../../src/commands/terminal/command-tree.ts";
import { parseValueHint } from "../../../src/commands/terminal/value-hint.ts";
import { MODEL_SETTINGS, SETTINGS } from "../../../src/config/config.ts";

const FLAGS: ArgsDef = {
  name: { type: "positional", required: true, valueHint: "NAME", description: "A name" },
  kind: { type: "positional", valueHint: "small|large", description: "A kind" },
  input: { type: "string", alias: "i", valueHint: "FILE|-", description: "A file" },
  folder: { type: "string", valueHint: "DIR", description: "A folder" },
  format: { type: "enum", options: ["text", "json"], description: "A format" },
  formats: { type: "string", valueHint: "u8|s16|f32[,...]", description: "Formats" },
  admin: { type: "string", valueHint: "HOST:PORT|unix:PATH", description: "An address" },
  model: { type: "string", valueHint: "MODEL|FILE", description: "A model" },
  set: { type: "string", valueHint: "KEY=VALUE...", description: "A setting" },
  field: { type: "string", valueHint: "FIELD=VALUE...", description: "A field" },
  raw: { type: "boolean", description: "A switch" },
  device: { type: "string", valueHint: "[list|DEVICE]", description: "A device" },
};

const COMMANDS: Commands = {
  play: { description: "Plays", load: async () => ({ args: FLAGS }) },
  list: { description: "Lists", load: async () => ({ args: async () => ({ all: { type: "boolean" } }) }) },
  group: { description: "Groups", commands: { inner: { description: "Inner", load: async () => ({ args: FLAGS }) } } },
};

/** What completes a line: candidates behind what stays, and marks. The last word is the current one. */
async function complete(line: string): Promise<string[]> {
  const words = line.split(" ");
  const { before, candidates, isOpen, paths } = await completeLine(COMMANDS, words.slice(0, -1), words.at(-1) ?? "");
  const marks = [...(isOpen ? ["(open)"] : []), ...(paths === "none" ? [] : [`(${paths})`])];
  return [...candidates.map(({ value }) => before + value), ...marks];
}

const ALL_FLAGS = Object.keys(FLAGS)
  .slice(2)
  .flatMap((flag) => (flag === "input" ? ["-i", "--input"] : [`--${flag}`]));

describe("a command line is completed by", () => {
  test.each([
    ["", ["play", "list", "group"]],
    ["gr", ["play", "list", "group"]],
    ["--", ["--help", "--version"]],
    ["group ", ["inner"]],
    ["group -", ["--help"]],
    ["nothing ", []],
    ["group nothing ", []],
    ["toString ", []],
    ["list ", ["--all", "--help"]],
    ["list x", []],
  ])("commands: %p", async (line, expected) => {
    expect(await complete(line)).toEqual([...expected]);
  });

  test.each([
    ["play -", [...ALL_FLAGS, "--help"]],
    ["group inner --", [...ALL_FLAGS, "--help"]],
    ["play a large ", [...ALL_FLAGS, "--help"]],
    [
      "play --raw -i x --set a=b -",
      ["--folder", "--format", "--formats", "--admin", "--model", "--set", "--field", "--device", "--help"],
    ],
    ["play -- -", []],
  ])("flags: %p", async (line, expected) => {
    expect(await complete(line)).toEqual([...expected]);
  });

  test.each([
    ["play --format ", ["text", "json"]],
    ["play --device=", ["--device=list"]],
    ["play a small --device x ", ALL_FLAGS.filter((flag) => flag !== "--device").concat("--help")],
    ["play --device x", ["list", ...ALL_FLAGS.filter((flag) => flag !== "--device"), "--help"]],
    ["play --format=", ["--format=text", "--format=json"]],
    ["play --format=te", ["--format=text", "--format=json"]],
    ["play --input ", ["(files)"]],
    ["play --input=a=b", ["(files)"]],
    ["play -i ", ["(files)"]],
    ["play -ix", ["(files)"]],
    ["play --folder ", ["(folders)"]],
    ["play --model ", ["simulated", "levels", "denoise", "remote", "(files)"]],
    ["play --formats ", ["u8", "s16", "f32"]],
    ["play --formats s16,", ["s16,u8", "s16,f32"]],
    ["play --admin u", ["unix:", "(open)"]],
    ["play --admin unix:a", ["(files)"]],
    ["play --raw=", []],
    ["play --nothing=", []],
    ["play --raw a ", ["small", "large"]],
    ["play a --format text ", ["small", "large"]],
    ["play - ", ["small", "large"]],
    ["play -- a ", ["small", "large"]],
    // A value that starts with a dash stands only behind an equals sign, so this flag has none.
    ["play --format --raw a ", ["small", "large"]],
  ])("values: %p", async (line, expected) => {
    expect(await complete(line)).toEqual([...expected]);
  });

  test.each([
    ["play --set limits.drain=", ["limits.drain=finish", "limits.drain=now"]],
    ["play --set=limits.drain=f", ["--set=limits.drain=finish", "--set=limits.drain=now"]],
    ["play --set server.console=", ["server.console=on", "server.console=off"]],
    ["play --set server.processes=", ["server.processes=auto"]],
    ["play --set limits.max_channels=", []],
    ["play --set server.tls_cert=", ["server.tls_cert=none", "(files)"]],
    ["play --set server.admin=unix:x", ["(files)"]],
    [
      "play --set dialects.enabled=vosk,streamer,o",
      ["deepgram", "openai", "assemblyai", "speechmatics", "twilio", "asterisk", "riva", "google"].map(
        (name) => `dialects.enabled=vosk,streamer,${name}`,
      ),
    ],
    [
      "play --set model.name=",
      [..."simulated levels denoise remote".split(" ").map((name) => `model.name=${name}`), "(files)"],
    ],
    ["play --model remote --set model.protocol=", ["model.protocol=oip-http", "model.protocol=oip-grpc"]],
    ["play --set model.protocol=", []],
    ["play --set model.name=remote --set model.protocol=oip-h", ["model.protocol=oip-http", "model.protocol=oip-grpc"]],
    ["play --model remote --set model.tls_key=", ["(files)"]],
    ["play --set models.remote.encoding=", ["auto", "binary", "json"].map((word) => `models.remote.encoding=${word}`)],
    ["play --set nothing=", []],
    ["play --field interim_results=", ["interim_results=true", "interim_results=false"]],
    ["play --field vad.min_silence_ms=", []],
  ])("settings: %p", async (line, expected) => {
    expect(await complete(line)).toEqual([...expected]);
  });
});

test("every setting has its name, and those of a further model follow its name", async () => {
  const names = Object.entries(SETTINGS).flatMap(([section, table]) =>
    Object.keys(table).map((key) => `${section}.${key}=`),
  );
  const offered = await complete("play --set ");
  expect(names.filter((name) => !offered.includes(name))).toEqual([]);
  expect(offered).toContain("model.delay=");
  expect(offered).toContain("models.");
  const further = await complete("play --set models.other.");
  const expected = Object.keys(MODEL_SETTINGS).map((key) => `models.other.${key}=`);
  expect(expected.filter((name) => !further.includes(name))).toEqual([]);
  expect(await complete("play --config x --set ")).not.toContain("model.smoothing=");
});

test("every field of a start has a meaning", () => {
  expect(startKeys().size).toBeGreaterThan(12);
  expect([...startKeys()].filter(([, { description }]) => description === "")).toEqual([]);
});

test("a hint says what the values are", () => {
  const none = { words: [], places: [], prefixes: [], isList: false };
  expect(parseValueHint("text|json")).toEqual({ ...none, words: ["text", "json"] });
  expect(parseValueHint("FILE|-")).toEqual({ ...none, places: ["FILE"] });
  expect(parseValueHint("KEY=VALUE...")).toEqual({ ...none, places: ["KEY=VALUE"] });
  expect(parseValueHint("u8|oip-http[,...]")).toEqual({ ...none, words: ["u8", "oip-http"], isList: true });
  expect(parseValueHint("none|HOST:PORT|unix:PATH")).toEqual({
    ...none,
    words: ["none"],
    places: ["HOST:PORT"],
    prefixes: ["unix:"],
  });
});

describe("the words of a shell", () => {
  test.each([
    ["streamer send -i a", ["streamer", "send", "-i"], "a"],
    ["streamer ", ["streamer"], ""],
    ["", [], ""],
    [`s "a b" 'c d' e\\ f`, ["s", "a b", "c d"], "e f"],
    [`s "a \\" \\$ \\x" 'b\\`, ["s", 'a " $ \\x'], "b\\"],
    [`s "" x`, ["s", ""], "x"],
    [`s --set="a b`, ["s"], "--set=a b"],
    ["s -i x 2>&1 > out b", ["s", "-i", "x"], "b"],
    ["s -i x 2>/dev/null b", ["s", "-i", "x"], "b"],
    ["s < in -", ["s"], "-"],
    ["s $HOME/x *", ["s", "$HOME/x"], "*"],
    ["s ü\\", ["s"], "ü"],
  ])("%p", (line, before, current) => {
    expect(splitWords(line)).toMatchObject({ before: [...before], current, isRedirection: false });
  });

  test.each(["s > ", "s -i x >out", "s 2>> o", "s < i"])("%p ends with the file of a redirection", (line) => {
    expect(splitWords(line).isRedirection).toBe(true);
  });
});

test("replies escape what their shell would take for something else, and stay lines", () => {
  const completion = {
    before: "--set=",
    candidates: [{ value: "a:b", description: "two\nlines\tand: a tab" }, { value: "it's $HOME" }],
    isOpen: true,
    paths: "files",
  } as const;
  const request = { words: [], current: "--set=", typed: "--set=", replaced: "" };
  expect(REPLIES.zsh(completion, request)).toEqual(["6 open files", "", "a\\:b:two lines and: a tab", "it's $HOME"]);
  expect(REPLIES.fish(completion, request)).toEqual([
    "open files",
    "--set=",
    "--set=a:b\ttwo lines and: a tab",
    "--set=it's $HOME",
  ]);
  expect(REPLIES.bash(completion, request)).toEqual(["open files", "", "", "", "a:b", "it\\'s\\ \\$HOME"]);
});
