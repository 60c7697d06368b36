import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import type { Summary } from "../../src/commands/bench/summary.ts";
import { BUILD_MS, sharedExecutable } from "../support/executable.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
const LIMIT_MS = 300_000;
setDefaultTimeout(LIMIT_MS);

const executable = await sharedExecutable();
const instant = { "model.delay": 0, "model.constant_factor": 0, "model.jitter": 0 };
const short = ["--ramp", "0.1", "--settle", "0.1"];

type Output = Summary & { violations: string[] };

async function bench(
  port: number,
  args: readonly string[],
  pattern = "segmented",
  seconds = pattern === "segmented" ? 4 : 1,
) {
  const addr = `ws://127.0.0.1:${port}/api/v1/${pattern}`;
  const flags = ["--addr", addr, ...short, "--seconds", String(seconds), "--format", "json", ...args];
  const { code, out, err } = await executable.run(["bench", ...flags]);
  return { code, err, output: JSON.parse(out) as Output };
}

async function audioMessages(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^streamer_received_messages_total\{kind="audio"\} (\d+)/m.exec(metrics)?.[1]);
}

// Most wait for streams in real time, each with a server of its own.
describe("bench", () => {
  test.concurrent(
    "measures streams of real speech in several processes and formats, and every ledger adds up",
    async () => {
      await using server = await executable.serve(instant);
      const formats = ["--rate", "16000,48000", "--channels", "1,2", "--sample-format", "s16,mulaw"];
      const page = join(executable.folder, "page.html");
      const args = ["-n", "9", "--processes", "2", "--interim-results", "--html", page, ...formats];
      const { code, output } = await bench(server.port, args);
      expect(output).toMatchObject({
        streams: { offered: 9, admitted: 9, refused: 0, stopped: 9 },
        audio: { missing_frames: 0, failed_samples: 0 },
        errors: {},
        problems: {},
        stop_reasons: { stop: 9 },
        violations: [],
      });
      expect(code).toBe(0);
      expect(output.latency.final?.count).toBeGreaterThan(0);
      expect(output.latency.interim?.count).toBeGreaterThan(0);
      expect(output.server.cpu_us_per_message).toBeGreaterThan(0);
      const html = await Bun.file(page).text();
      expect(html).toContain("<polyline");
      expect(html).not.toContain("<script");
    },
    BUILD_MS + LIMIT_MS,
  );

  test.concurrent(
    "is a gate: it fails with a sentence for each threshold that is exceeded",
    async () => {
      await using server = await executable.serve({ ...instant, "model.delay": 0.03 });
      const { code, err, output } = await bench(server.port, ["-n", "3", "--p99", "1ms"], "simple", 5);
      expect(code).toBe(1);
      expect(output.violations).toHaveLength(1);
      expect(err).toMatch(/^problem: final p99: found [\d.]+ ms; allowed: 1 ms$/m);
    },
    LIMIT_MS,
  );

  test.concurrent(
    "counts the streams that are refused, and how fast",
    async () => {
      await using server = await executable.serve({ ...instant, "limits.max_sessions": 2 });
      const { code, output } = await bench(server.port, ["-n", "5", "--max-refused", "3"]);
      expect(output.streams).toMatchObject({ offered: 5, admitted: 2, refused: 3, stopped: 2 });
      expect(output.refusals).toEqual({ "HTTP 503": 3 });
      expect(output.latency.refusal?.count).toBe(3);
      expect(code).toBe(0);
    },
    LIMIT_MS,
  );

  test.concurrent(
    "reports what a vanishing server leaves undone, as soon as no stream is left",
    async () => {
      await using server = await executable.serve(instant);
      const plannedSeconds = 3_600;
      const running = bench(server.port, ["-n", "3"], "segmented", plannedSeconds);
      // Each stream sends ten a second: all three have begun, and the end is far away.
      await waitUntil("60 messages of audio", async () => (await audioMessages(server.url)) >= 60);
      server.signal("SIGKILL");
      const { code, output } = await running;
      expect(code).toBe(1);
      expect(output.streams).toMatchObject({ admitted: 3, stopped: 0 });
      expect(output.problems).toEqual({ "the connection was closed without `stopped` (1006)": 3 });
      expect(output.counted_seconds).toBeLessThan(plannedSeconds);
    },
    LIMIT_MS,
  );

  test.concurrent(
    "ends when every stream is refused",
    async () => {
      await using server = await executable.serve({ ...instant, "limits.max_channels": 1 });
      const { code, output } = await bench(server.port, ["-n", "3", "--channels", "2"], "segmented", 3_600);
      expect(output.streams).toMatchObject({ offered: 3, admitted: 0, refused: 3 });
      expect(output.violations).toContain("no stream was admitted");
      expect(code).toBe(1);
    },
    LIMIT_MS,
  );

  test(
    "finds the number of streams that a server carries",
    async () => {
      await using server = await executable.serve({ ...instant, "limits.max_sessions": 6 });
      const search = ["--find-capacity", "--p99", "60000", "-n", "8"];
      // Long enough for a result within each round, without which a round does not hold.
      const { code, output } = await bench(server.port, search, "simple", 4);
      expect(output).toMatchObject({ capacity: { streams: 6, failedAt: 7, confirmed: 3 } });
      // On a busy machine, some of the runs show that the generator had too little of it.
      expect(["bounds", "generator"]).toContain((output as { capacity?: { end: string } }).capacity?.end ?? "");
      expect(code).toBe(0);
    },
    LIMIT_MS,
  );

  test.each([
    [["--streams", "0"], "--streams: found"],
    [["--rate", "16000,1"], "--rate: found"],
    [["--find-capacity"], "--find-capacity: found"],
    [["--p99", "fast"], "--p99: found"],
    [["--sample-format", "mp3"], "--sample-format: found"],
  ])("refuses %p by name", async (args, words) => {
    const { code, err } = await executable.run(["bench", ...args]);
    expect(code).toBe(2);
    expect(err).toContain(words);
  });
});
