import { expect, test } from "bun:test";

import { statusLine, StatusTerminal } from "../../../src/commands/serve/status-terminal.ts";
import type { LiveStats } from "../../../src/telemetry/metrics/live-stats.ts";
import { MemoryOutput } from "../../support/memory-output.ts";
import { TerminalView } from "../../support/terminal-view.ts";
import { waitUntil } from "../../support/wait.ts";

const QUIET: LiveStats = {
  sessions: 0,
  streams: 0,
  capacity: 100,
  overloaded: 0,
  channels: 0,
  queue: { finals: 0, interims: 0, running: 0 },
  workers: 2,
  arena: { used_bytes: 0, resident_bytes: 0, bytes: 1_000 },
  audio_seconds: 0,
  inference_seconds: 0,
};

const BUSY: LiveStats = {
  sessions: 3,
  streams: 2,
  capacity: 100,
  overloaded: 0,
  channels: 4,
  queue: { finals: 5, interims: 1, running: 2 },
  workers: 2,
  arena: { used_bytes: 250, resident_bytes: 0, bytes: 1_000 },
  audio_seconds: 10,
  inference_seconds: 1.5,
};

test("the status line has sessions, real-time factor, queue and memory", () => {
  expect(statusLine(QUIET, BUSY, 120 * 1024 * 1024)).toBe(
    "sessions 3, streams 2  |  real-time factor 0.150  |  queue 6, workers busy 2 of 2  |  memory 120 MiB, audio 25 %",
  );
});

test("the real-time factor is that of the time between two refreshes, and - without audio", () => {
  const later = { ...BUSY, audio_seconds: 12, inference_seconds: 2.5 };
  expect(statusLine(BUSY, later, 0)).toContain("real-time factor 0.500");
  expect(statusLine(BUSY, BUSY, 0)).toContain("real-time factor -");
});

test("the status line stays below the log, is updated in place, and is removed at the end", async () => {
  const output = new MemoryOutput({ isTerminal: true, columns: 120 });
  const view = new TerminalView(120);
  /** Returns what the terminal shows after the writes up to now. */
  const shown = async (): Promise<string[]> => {
    for (const text of output.writes.splice(0)) await view.write(text);
    return view.lines;
  };
  let now = QUIET;
  {
    using status = new StatusTerminal(output, output);
    status.print("listening");
    status.start({ live: () => now, memory: () => 0 });
    expect(await shown()).toEqual(["listening", expect.stringMatching(/^sessions 0/)]);
    status.log("a stream started\n");
    expect(await shown()).toEqual(["listening", "a stream started", expect.stringMatching(/^sessions 0/)]);
    now = BUSY;
    status.refresh();
    expect(await shown()).toEqual(["listening", "a stream started", expect.stringMatching(/^sessions 3/)]);
  }
  expect(await shown()).toEqual(["listening", "a stream started"]);
});

test("a load that takes longer than a second is shown and updated, until the server has loaded", async () => {
  const output = new MemoryOutput({ isTerminal: true, columns: 120 });
  let shown = 0;
  {
    using status = new StatusTerminal(output, output);
    status.startLoading(() => `loading, ${++shown}`);
    expect(output.text).toBe("");
    await waitUntil("the line is updated", () => shown >= 2);
    output.writes.length = 0;
    status.start({ live: () => QUIET, memory: () => 0 });
    const after = shown;
    status.refresh();
    expect([shown, output.text]).toEqual([after, expect.stringContaining("sessions 0")]);
  }
  expect(output.text).not.toContain("loading");
});
