// What users of the program build on stays as it was recorded. When a change is meant: `bun scripts/record-surface.ts`.

import { expect, setDefaultTimeout, test } from "bun:test";

import recorded from "./data/surface.json" with { type: "json" };
import { FROM_SOURCE } from "./support/surface/program.ts";
import { differences, type Surface, surfaceOf } from "./support/surface/surface.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Added since the record was made. A new record contains them, and its values count. */
const ADDED: Surface = {
  "environment STREAMER__VAD__DETECTOR": "is read",
  "key vad.detector": 'default "energy"; allowed energy, fixed',
};

test("messages, errors, configuration, metrics, routes and commands are those recorded", async () => {
  expect(differences({ ...ADDED, ...recorded }, await surfaceOf(FROM_SOURCE))).toEqual([]);
});

test("the record is whole: it has items of every kind", () => {
  const kinds = ["start.vad.threshold_db", "stopped.channels[].received", "error overloaded", "warning.code"];
  const others = ["key vad.threshold_db", "key model.seed (simulated)", "environment STREAMER__SERVER__PORT"];
  const more = [
    "metric streamer_errors_total{code}",
    "metric streamer_result_lag_seconds_bucket{model=simulated,pattern=simple}",
  ];
  const last = [
    "GET /metrics",
    "ws /api/v1/simple, streamer",
    "command send -i, --input",
    "exit code of no-such-command",
  ];
  expect([...kinds, ...others, ...more, ...last].filter((item) => !Object.hasOwn(recorded, item))).toEqual([]);
  expect(Object.values<string>(recorded).filter((text) => text === "" || /undefined|NaN/.test(text))).toEqual([]);
});

test("a difference names the item, what it was and what it is", () => {
  const before: Surface = { "key a": "default 1", "key b": "default 2", "key c": "default 3" };
  const after: Surface = { "key a": "default 1", "key b": "default 4", "key d": "default 5" };
  expect(differences(before, after)).toEqual([
    { item: "key b", was: "default 2", is: "default 4" },
    { item: "key c", was: "default 3", is: undefined },
    { item: "key d", was: undefined, is: "default 5" },
  ]);
});
