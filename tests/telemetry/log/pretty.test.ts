import { expect, test } from "bun:test";

import fc from "fast-check";

import { openLog } from "../../../src/telemetry/log/log.ts";
import { prettyLine } from "../../../src/telemetry/log/pretty.ts";

/** Returns the lines that `use` writes to a pretty log, without the time of day. */
function written(use: (log: ReturnType<typeof openLog>) => void, colour = false): string[] {
  const lines: string[] = [];
  using log = openLog({
    level: "debug",
    render: (line) => prettyLine(line, colour),
    write: (line) => void lines.push(line),
  });
  use(log);
  return lines.map((line) => line.replace(/^\d\d:\d\d:\d\d /, ""));
}

const CHANNEL = { received: 48_000, received_rate: 48_000, decoded: 16_000, interims: 0, errors: 0 };

test("the start and the stop of a stream have messages of their own", () => {
  const [started, stopped] = written((log) => {
    const stream = log.with({ session: "abcdefghijklmnop", stream: 0, trace_id: "4bf9", span_id: "00f0" });
    const format = { sample_format: "s16", channels: 2, sample_rate: 48_000 };
    stream.info("stream_started", { pattern: "segmented", model: "simulated", ...format });
    const ledger = [
      { ...CHANNEL, channel: 0, inferred: 8_000, silent: 8_000, failed: 0, segments: 1 },
      { ...CHANNEL, channel: 1, inferred: 0, silent: 8_000, failed: 8_000, segments: 2 },
    ];
    stream.info("stream_stopped", { reason: "stop", seconds: 1.2, ledger });
  });
  expect(started).toBe(
    "info    stream abcdefgh/0 started: /segmented, simulated, s16, 48000 Hz, 2 channels, trace 4bf9\n",
  );
  expect(stopped).toBe(
    "info    stream abcdefgh/0 stopped (stop) after 1.2 s: 2.00 s of audio = 25 % inferred + 50 % silent + 25 % failed; 3 segments, 0 interims, 0 errors\n",
  );
});

test("any other record shows its event and its fields", () => {
  expect(written((log) => log.warn("worker_crashed", { worker: 1, cause: "a b", list: [1] }))).toEqual([
    'warning worker crashed worker=1 cause="a b" list=[1]\n',
  ]);
});

test("an error shows its message in the line and its stack below it", () => {
  const [line = ""] = written((log) => log.error("session_crashed", { error: new TypeError("no such thing") }));
  const [first, ...below] = line.trimEnd().split("\n");
  expect(first).toBe('error   session crashed error="no such thing"');
  expect(below.length).toBeGreaterThan(1);
  expect(below.every((each) => each.startsWith("    "))).toBe(true);
});

test("the level is coloured only on request", () => {
  expect(written((log) => log.info("ready"), true)).toEqual(["\u001B[32minfo   \u001B[0m ready\n"]);
  expect(written((log) => log.info("ready"))).toEqual(["info    ready\n"]);
});

test("no field of any event reaches the terminal as a control character, and none throws", () => {
  const event = fc.constantFrom("stream_started", "stream_stopped", "any");
  const known = fc.constantFrom("session", "pattern", "ledger", "trace_id", "seconds", "channels", "stack", "error");
  const keys = fc.oneof(fc.string(), known);
  fc.assert(
    fc.property(event, fc.dictionary(keys, fc.anything(), { noNullPrototype: true }), (name, fields) => {
      const [line = ""] = written((log) => log.info(name, { ...fields, text: "\u001B[2J\r\u0007" }));
      expect(line.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    }),
    { numRuns: 300 },
  );
});
