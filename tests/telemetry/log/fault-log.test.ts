import { expect, test } from "bun:test";

import { FaultLog } from "../../../src/telemetry/log/fault-log.ts";

interface Entry {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

function recorder(): { entries: Entry[]; log: { error(event: string, fields?: Entry["fields"]): void } } {
  const entries: Entry[] = [];
  return { entries, log: { error: (event, fields) => void entries.push({ event, fields }) } };
}

test("a fault is one record with its task and error, and ends nothing else", () => {
  const { entries, log } = recorder();
  const faults = new FaultLog(log, () => 0);
  const error = new Error("broken");
  let after = false;
  faults.contain("sweep", () => {
    throw error;
  });
  faults.contain("sweep", () => (after = true));
  expect([entries, after]).toEqual([[{ event: "task_failed", fields: { task: "sweep", error } }], true]);
});

test("faults of a task that always fails are counted, so that they do not fill a disk", () => {
  const { entries, log } = recorder();
  let now = 0;
  const faults = new FaultLog(log, () => now);
  for (; now < 600_000; now += 100) faults.record("sweep", new Error("again"));
  faults.record("tick", new Error("another task"));
  // 100 at once, then one a second.
  expect(entries.length).toBe(100 + 599 + 1);
  const left = entries.reduce((sum, { fields }) => sum + Number(fields?.["left_out"] ?? 0), 0);
  expect(entries.length - 1 + left).toBeGreaterThan(5_980);
  expect(entries.at(-1)?.fields).toMatchObject({ task: "tick" });
});

test("a log that throws is no fault of the task", () => {
  const faults = new FaultLog({
    error: () => {
      throw new Error("the log is broken, too");
    },
  });
  expect(() => faults.record("sweep", new Error("broken"))).not.toThrow();
});
