import { expect, test } from "bun:test";

import { parseSendSettings } from "../../../src/commands/send/settings.ts";
import { UsageError } from "../../../src/commands/terminal/exit-codes.ts";
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

const flags = (...rawArgs: string[]) => parseSendSettings(["-i", "a.wav", ...rawArgs]);

test("everything but the input has a default", () => {
  expect(flags()).toEqual({
    input: "a.wav",
    microphone: undefined,
    addr: new URL("ws://localhost:8080/api/v1/segmented"),
    grpc: false,
    token: undefined,
    tls: {},
    chunkBytes: undefined,
    realTime: false,
    waits: { startedMs: 10_000, eventMs: 60_000 },
    format: "text",
    output: undefined,
    raw: undefined,
    fields: {},
  });
});

test("--set and --interim-results become fields of start", () => {
  expect(flags("--interim-results", "--set", "vad.min_silence_ms=300", "--set", "timing=true").fields).toEqual({
    interim_results: true,
    vad: { min_silence_ms: 300 },
    timing: true,
  });
});

test("the address may be that of a WebSocket or of HTTP, and --pattern adds its path", () => {
  const addr = (...args: string[]) => flags(...args).addr.href;
  expect(addr("--addr", "localhost:9000")).toBe("ws://localhost:9000/api/v1/segmented");
  expect(addr("--addr", "http://127.0.0.1:9000")).toBe("ws://127.0.0.1:9000/api/v1/segmented");
  expect(addr("--addr", "https://example.com", "--pattern", "stateful")).toBe("wss://example.com/api/v1/stateful");
  expect(addr("--pattern", "simple")).toBe("ws://localhost:8080/api/v1/simple");
});

test("--model is the field of start, as text", () => {
  expect(flags("--model", "7", "--interim-results").fields).toEqual({ model: "7", interim_results: true });
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
  expect(refusal(() => flags("--rate", "8000"))).toContain("--rate needs --raw");
});

test("an invalid value is refused with the flag, the value found and the values allowed", () => {
  for (const [args, text] of [
    [["--chunk-size", "0"], '--chunk-size: found "0"; allowed: a whole number from 1 to'],
    [["--chunk-size", "1e3"], '--chunk-size: found "1e3"'],
    [["--format", "xml"], '--format: found "xml"; allowed: text, json'],
    [["--addr", "ftp://localhost/"], '--addr: found "ftp://localhost/"; allowed: HOST:PORT, or a URL that begins with'],
    [["--pattern", "segmentd"], '--pattern: found "segmentd"; allowed: simple, stateful, segmented'],
    [
      ["--addr", "http://localhost/api/v1/simple", "--pattern", "stateful"],
      '--pattern: found "stateful"; allowed: an --addr without a path; its path is /api/v1/simple',
    ],
    [["--model", "levels", "--set", "model=simulated"], "--model and --set model: give only one of them"],
    [["--raw", "--rate", "3999"], '--rate: found "3999"; allowed: a whole number from 4000 to 384000'],
    [["--raw", "--channels", "-1"], "--channels needs a value"],
    [["--raw", "--sample-format", "s17"], '--sample-format: found "s17"; allowed: u8, s16'],
  ] as const) {
    expect(refusal(() => flags(...args))).toContain(text);
  }
  expect(refusal(() => parseSendSettings([]))).toContain("-i FILE");
});

test("a microphone takes a device, a rate and channels, and contradicts what is for files", () => {
  const microphone = (...args: string[]) => parseSendSettings(["--microphone", ...args]);
  expect(microphone()).toMatchObject({
    input: "-",
    microphone: { rate: 16_000, channels: 1, device: undefined },
    raw: { sample_rate: 16_000, channels: 1, bit_depth: 16, is_float: false },
  });
  expect(microphone("hw:1,0", "--rate", "48000", "--channels", "2")).toMatchObject({
    microphone: { rate: 48_000, channels: 2, device: "hw:1,0" },
    raw: { sample_rate: 48_000, channels: 2 },
  });
  for (const [args, text] of [
    [["-i", "a.wav"], "--microphone and --input: give only one of them"],
    [["--raw"], "--microphone and --raw: leave the second one out"],
    [["--sample-format", "s16"], "--microphone and --sample-format: leave the second one out"],
    [["--real-time"], "--microphone and --real-time: leave the second one out"],
    [["package.json"], '--microphone: found "package.json", which is a file; a file is sent with -i FILE'],
  ] as const) {
    expect(refusal(() => microphone(...args))).toContain(text);
  }
  expect(refusal(() => parseSendSettings(["--microphone="]))).toContain("the name of a device");
});
