import { expect, test } from "bun:test";

import fc from "fast-check";

import { LOG_LEVELS, type LogLevel, openLog } from "../../../src/telemetry/log/log.ts";

function capture(level: LogLevel = "debug") {
  const lines: string[] = [];
  const log = openLog({ level, write: (line) => void lines.push(line) });
  const records = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, records, [Symbol.dispose]: () => log[Symbol.dispose]() };
}

test("a record is one line of JSON with level, time and event first", () => {
  using captured = capture();
  captured.log.info("session_opened", { session: "abc", stream: 0 });
  expect(captured.lines).toHaveLength(1);
  expect(captured.lines[0]).toMatch(
    /^\{"level":"info","time":"\d{4}-\d\d-\d\dT[\d:.]+Z","event":"session_opened","session":"abc","stream":0\}\n$/,
  );
});

test("records below the level are not written", () => {
  for (const [index, level] of LOG_LEVELS.entries()) {
    using captured = capture(level);
    captured.log.debug("e");
    captured.log.info("e");
    captured.log.warn("e");
    captured.log.error("e");
    expect(captured.records().map((record) => record["level"])).toEqual(LOG_LEVELS.slice(index));
  }
});

test("fields of a derived log are on every record, and a record's own fields replace them", () => {
  using captured = capture();
  const session = captured.log.with({ session: "abc" });
  session.with({ stream: 1 }).warn("slow", { lag_ms: 5 });
  session.info("closed", { session: "xyz" });
  captured.log.info("alone");
  expect(captured.records()).toMatchObject([{ session: "abc", stream: 1, lag_ms: 5 }, { session: "xyz" }, {}]);
  expect(captured.records()[2]).not.toHaveProperty("session");
});

test("a field cannot replace the level, the time or the event", () => {
  using captured = capture();
  captured.log.info("real", { level: "error", event: "forged", time: "never" });
  expect(captured.records()[0]).toMatchObject({ level: "info", event: "real" });
  expect(captured.records()[0]?.["time"]).not.toBe("never");
});

test("text from outside is cut, and cannot start a line or move a terminal's cursor", () => {
  using captured = capture();
  captured.log.info("bad_{placeholder}", { text: `a\n{"level":"error"}\u001b[2J\u2028${"x".repeat(9_999)}` });
  const [line = ""] = captured.lines;
  expect(line.trimEnd()).not.toMatch(/[\p{Cc}\p{Zl}]/u);
  expect(line.length).toBeLessThan(1_500);
  expect(captured.records()[0]?.["event"]).toBe("bad_{placeholder}");
});

test("two logs in one process are independent, and a disposed one writes nothing", () => {
  using first = capture();
  using second = capture("error");
  first.log.info("one");
  second.log.error("two");
  second.log[Symbol.dispose]();
  second.log.error("three");
  first.log.info("four");
  expect(first.records().map((record) => record["event"])).toEqual(["one", "four"]);
  expect(second.records().map((record) => record["event"])).toEqual(["two"]);
});

test("a record is written in the format that the log was opened with", () => {
  const lines: string[] = [];
  using log = openLog({
    level: "info",
    render: ({ level, event, n }) => `${level} ${event} ${n}`,
    write: (line) => lines.push(line),
  });
  log.info("counted", { n: 1 });
  expect(lines).toEqual(["info counted 1\n"]);
});

test("any fields are written as one line of JSON, without their secrets", () => {
  using captured = capture();
  captured.log.info("refused", { token: "s3cret", error: new Error("Bearer s3cret is unknown") });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything(), { noNullPrototype: true }), (fields) => {
      captured.log.info("any", fields);
    }),
    { numRuns: 300 },
  );
  expect(captured.records()).toHaveLength(301);
  expect(captured.lines.every((line) => line.indexOf("\n") === line.length - 1)).toBe(true);
  expect(captured.lines[0]).not.toContain("s3cret");
});
