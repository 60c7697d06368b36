import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";
import { SendProcess } from "../support/send-process.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const SAMPLE = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");
const executable = await sharedExecutable();

/** Sends audio in real time to a server that gets SIGTERM within the first utterance. */
async function sendToDrainingServer(settings: Settings, ...input: string[]) {
  const server = await executable.serve({ "model.workers": 1, "model.delay": 0, ...settings });
  const addr = `127.0.0.1:${server.port}`;
  await using sending = new SendProcess(executable, ["-i", ...input, "--real-time", "--addr", addr]);
  await waitUntil("speech", () => sending.out.includes("speech begins"));
  server.signal("SIGTERM");
  const result = await sending.result();
  expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  return result;
}

test("a stream that fits into the time of a shutdown is sent to its end, with 0", async () => {
  const sample = await Bun.file(SAMPLE).bytes();
  const path = join(executable.folder, "short.raw");
  // 4.8 s, with one utterance of each speaker.
  await Bun.write(path, sample.subarray(44, 44 + 4.8 * 192_000));
  const { code, out, err } = await sendToDrainingServer({}, path, "--raw", "--rate", "48000", "--channels", "2");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toMatch(/warning draining: The server is shutting down; .* \(30 s\)\n/);
  expect(out).toContain("2 final results, 0 errors; the ledger adds up");
});

test("a longer stream ends in time: send says how much was sent, and ends with 0 since the ledger adds up", async () => {
  const { code, out, err } = await sendToDrainingServer({ "limits.drain_timeout_ms": 3_000 }, SAMPLE);
  expect(err).toStartWith("the server is shutting down: no more audio is sent, the results of what was sent follow\n");
  expect(err).toMatch(
    /\nwarning: the server shut down: \d\.\d\d s of 18\.00 s of \S+\.wav were sent, the rest was not\n$/,
  );
  expect(out).toMatch(/ final {2}count/);
  expect(out).toContain("the ledger adds up: every sample that was sent is accounted for");
  expect(code).toBe(0);
});

test("a server that shuts down at once cuts the stream: the ledger decides about the exit code", async () => {
  const { code, out, err } = await sendToDrainingServer({ "limits.drain": "now" }, SAMPLE);
  expect(err).toMatch(
    /warning: the server shut down: \d\.\d\d s of 18\.00 s of \S+\.wav were sent, the rest was not\n/,
  );
  // A chunk may have been on its way.
  const isComplete = !err.includes("did not take the last");
  expect(out.includes("the ledger adds up")).toBe(isComplete);
  expect(code).toBe(isComplete ? 0 : 1);
});
