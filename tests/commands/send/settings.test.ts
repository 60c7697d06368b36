import { expect, test } from "bun:test";

import { sendSettings, startFields } from "../../../src/commands/send/settings.ts";
import { UsageError } from "../../../src/commands/terminal/exit.ts";
import { FORMAT } from "../../support/wire.ts";

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error instanceof Error ? error.message : "";
  }
  return "not refused";
}

const flags = (...rawArgs: string[]) => sendSettings(["-i", "a.wav", ...rawArgs]);

test("a file alone is enough", () => {
  expect(flags()).toEqual({
    input: "a.wav",
    addr: new URL("ws://localhost:8080/api/v1/segmented"),
    chunkBytes: undefined,
    realTime: false,
    format: "text",
    output: undefined,
    raw: undefined,
    fields: {},
  });
});

test("--set reaches any field of start, with numbers, truth values and text told apart", () => {
  const { fields } = flags(
    ..."--set vad.min_silence_ms=300 --set vad.threshold_db=12.5 --set timing=true --set model=7 --interim-results".split(
      " ",
    ),
    ..."--set options.language=en --set options.deep.words=[1,2] --set interim_interval_ms=200".split(" "),
    "--set",
    "options.note=a=b c",
  );
  expect(fields).toEqual({
    interim_results: true,
    vad: { min_silence_ms: 300, threshold_db: 12.5 },
    timing: true,
    model: "7",
    options: { language: "en", deep: { words: [1, 2] }, note: "a=b c" },
    interim_interval_ms: 200,
  });
});

test("raw input has its own flags", () => {
  expect(flags("--raw").raw).toEqual(FORMAT);
  expect(flags("--raw", "--rate", "8000", "--channels", "2", "--sample-format", "mulaw").raw).toEqual({
    channels: 2,
    sample_rate: 8000,
    bit_depth: 8,
    is_float: false,
    encoding: "mulaw",
  });
  expect(refusal(() => flags("--rate", "8000"))).toContain("--rate is for --raw only");
});

test("a bad value is refused, naming the flag, what was found and what is allowed", () => {
  for (const [args, words] of [
    [["--chunk-size", "0"], "--chunk-size 0: allowed is a whole number from 1"],
    [["--chunk-size", "1e3"], "--chunk-size 1e3"],
    [["--format", "xml"], "--format xml: allowed are text and json"],
    [["--addr", "http://localhost/"], "--addr http://localhost/: allowed is a WebSocket URL"],
    [["--addr", "localhost:8080"], "--addr localhost:8080"],
    [["--addr", "ws://localhost/#x"], "#fragment"],
    [["--raw", "--rate", "3999"], "--rate 3999: allowed is a whole number from 4000 to 384000"],
    [["--raw", "--channels", "-1"], "--channels needs a value"],
    [["--raw", "--sample-format", "s17"], "--sample-format s17: allowed are u8, s16"],
    [["--set", "vad"], "--set vad: allowed is key=value"],
    [["--set", "vad..x=1"], "allowed is key=value"],
    [["--set", "__proto__.x=1"], "allowed is key=value"],
    [["--set", "format.channels=2"], "format cannot be set this way"],
    [["--set", "vad=3", "--set", "vad.threshold_db=3"], "vad already has a value"],
  ] as const) {
    expect(refusal(() => flags(...args))).toContain(words);
  }
  expect(refusal(() => sendSettings([]))).toContain("-i FILE");
});

test("a start that no server would accept is refused before anything is sent", () => {
  const refused = (format: typeof FORMAT | object, ...args: string[]) =>
    refusal(() => startFields(flags(...args), { ...FORMAT, ...format }, "a.wav"));
  expect(refused({}, "--set", "vad.min_silense_ms=300")).toContain('did you mean "vad.min_silence_ms"');
  expect(refused({}, "--set", "vad.min_silence_ms=3")).toContain("--set: vad.min_silence_ms: found 3");
  expect(refused({ sample_rate: 1000 })).toContain("a.wav: format.sample_rate: found 1000");
  expect(startFields(flags("--interim-results"), FORMAT, "a.wav")).toEqual({ interim_results: true, format: FORMAT });
});
