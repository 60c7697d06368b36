import { expect, test } from "bun:test";

import { UsageError } from "../../../src/commands/terminal/exit-codes.ts";
import { invalidValue, parseFlags } from "../../../src/commands/terminal/flags.ts";

const ARGS = {
  input: { type: "string", alias: "i", description: "" },
  "real-time": { type: "boolean", description: "" },
  set: { type: "string", valueHint: "key=value...", description: "" },
  microphone: { type: "string", valueHint: "[DEVICE]", description: "" },
} as const;

function refusal(...rawArgs: string[]): string {
  try {
    parseFlags(rawArgs, ARGS);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code: 2 });
    return error instanceof Error ? error.message : "";
  }
  return "not refused";
}

test("flags are read in their short and long forms, and a repeated one keeps every value", () => {
  const flags = parseFlags(["-i", "-", "--set", "a=1", "--real-time", "--set=b=-2"], ARGS);
  expect(flags.string("input")).toBe("-");
  expect(flags.has("real-time")).toBe(true);
  expect(flags.strings("set")).toEqual(["a=1", "b=-2"]);
  expect(parseFlags(["--input=--odd.wav"], ARGS).string("input")).toBe("--odd.wav");
  expect(parseFlags([], ARGS).has("real-time")).toBe(false);
});

test("a flag whose value is optional takes what follows it, unless that is a flag", () => {
  const device = (...args: string[]) => {
    const flags = parseFlags(args, ARGS);
    return [flags.has("microphone"), flags.string("microphone")];
  };
  expect(device()).toEqual([false, undefined]);
  expect(device("--microphone")).toEqual([true, undefined]);
  expect(device("--microphone", "--real-time")).toEqual([true, undefined]);
  expect(device("--microphone", "-i", "a.wav")).toEqual([true, undefined]);
  for (const args of [["--microphone=hw:1"], ["--microphone", "hw:1"], ["--microphone", "hw:1", "--real-time"]]) {
    expect(device(...args)).toEqual([true, "hw:1"]);
  }
  expect(device("--microphone=--odd")).toEqual([true, "--odd"]);
  expect(device("--microphone=")).toEqual([true, ""]);
  expect(refusal("--microphone", "one", "two")).toBe("unexpected argument 'two'");
  expect(refusal("--microphone", "--real-time", "one")).toBe("unexpected argument 'one'");
  expect(refusal("--microphone=one", "two")).toBe("unexpected argument 'two'");
  expect(refusal("--microphone", "--microphone=one")).toBe("--microphone may be given only once");
});

test("an unknown flag is refused with the nearest known name", () => {
  expect(refusal("--realtime")).toBe("unknown flag --realtime; did you mean --real-time?");
  expect(refusal("--bogus")).toBe("unknown flag --bogus");
  expect(refusal("--toString")).toBe("unknown flag --toString");
  expect(refusal("-x")).toBe("unknown flag -x");
});

test("a missing value, an unexpected one, a repetition and an unexpected argument are refused", () => {
  expect(refusal("-i")).toBe("-i needs a value");
  expect(refusal("-i", "--real-time")).toBe("-i needs a value");
  expect(refusal("--real-time=yes")).toBe("--real-time takes no value");
  expect(refusal("-i", "a", "-i", "b")).toBe("-i may be given only once");
  expect(() => parseFlags(["file.wav"], {})).toThrow("unexpected argument 'file.wav'");
});

test("an argument that is the value of a flag without its name is refused with the name", () => {
  const serve = { model: { type: "string", description: "" }, config: { type: "string", description: "" } } as const;
  expect(refusal("file.wav")).toBe("unexpected argument 'file.wav'; did you mean --input file.wav?");
  for (const [value, flag] of [
    ["./my_model.py", "--model"],
    ["my-model.ts", "--model"],
    ["streamer.yaml", "--config"],
  ] as const) {
    expect(() => parseFlags([value], serve)).toThrow(`'${value}'; did you mean ${flag} ${value}?`);
  }
  expect(() => parseFlags(["levels"], serve)).toThrow(/^unexpected argument 'levels'$/);
});

test("positional arguments are taken in order, anywhere on the command line, and one too many is refused", () => {
  const args = {
    ...ARGS,
    model: { type: "positional", description: "" },
    other: { type: "positional", description: "" },
  } as const;
  const flags = parseFlags(["--set", "a=1", "./m.ts", "--real-time", "b"], args);
  expect([flags.string("model"), flags.string("other"), flags.has("real-time")]).toEqual(["./m.ts", "b", true]);
  expect(parseFlags([], args).string("model")).toBeUndefined();
  expect(() => parseFlags(["a", "b", "c"], args)).toThrow("unexpected argument 'c'");
  // The name of a positional argument is not a flag.
  expect(() => parseFlags(["--model", "a"], args)).toThrow("unknown flag --model");
});

test("an invalid value is reported with the flag, the value and the values allowed", () => {
  expect(invalidValue("--format", "x\u001B", "text, json").message).toBe(
    '--format: found "x\\u{1b}"; allowed: text, json',
  );
});
