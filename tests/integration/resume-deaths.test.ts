import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { CuttingProxy } from "../support/cutting-proxy.ts";
import { sharedExecutable } from "../support/executable.ts";
import { prove, rounds } from "../support/proof.ts";
import { SendProcess } from "../support/send-process.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(3_600_000);

const SAMPLE = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");
const executable = await sharedExecutable();
const keys = join(executable.folder, "keys");
writeFileSync(keys, `key ${Buffer.alloc(32, 5).toString("base64")}\n`);
const RESUMES = { "auth.secret_file": keys, "limits.resume_ms": 60_000, "model.workers": 1, "model.delay": 0 };

/** A part of the sample: about six seconds, with one utterance of each speaker and more. */
async function part(): Promise<string> {
  const bytes = await Bun.file(SAMPLE).bytes();
  const path = join(executable.folder, "part.raw");
  await Bun.write(path, bytes.subarray(44, 44 + 7 * 192_000));
  return path;
}

test("a server that is killed in mid-stream costs nothing: another one goes on, and send ends with 0 and an exact ledger", async () => {
  const path = await part();
  await prove("resume", async () => {
    for (let round = 0; round < rounds(1, 20); round++) {
      const dying = await executable.serve(RESUMES);
      const other = await executable.serve(RESUMES);
      using proxy = new CuttingProxy([dying.port, other.port], []);
      const addr = `ws://127.0.0.1:${proxy.port}/api/v1/segmented`;
      const raw = ["--raw", "--rate", "48000", "--channels", "2"];
      await using sending = new SendProcess(executable, ["-i", path, ...raw, "--real-time", "--addr", addr]);
      await waitUntil("a result", () => sending.out.includes(" final "));
      await Bun.sleep(Math.random() * 1500);
      dying.signal("SIGKILL");
      const { code, out, err } = await sending.result();
      expect(err).toMatch(/the connection was closed \(1006\): reconnecting, to go on with the stream\n/);
      expect(err).toContain("reconnected: the stream goes on, and what was lost has been sent again\n");
      expect(out).toContain("the ledger adds up: every sample that was sent is accounted for");
      expect(out).toContain("ledger [1]  336,000 frames at 48,000 Hz -> 112,000 samples");
      expect(code).toBe(0);
      const metrics = await (await fetch(`${other.url}/metrics`)).text();
      expect(metrics).toContain('streamer_streams_resumed_total{pattern="segmented",model="simulated"} 1');
      other.signal("SIGTERM");
      await other.waitForExit();
    }
    return `0 samples missing after ${rounds(1, 20)} servers killed`;
  });
});

test("without another server send gives up in time, and says why the stream could not be resumed", async () => {
  const path = await part();
  const dying = await executable.serve(RESUMES);
  const addr = `127.0.0.1:${dying.port}`;
  const raw = ["--raw", "--rate", "48000", "--channels", "2", "--timeout", "2"];
  await using sending = new SendProcess(executable, ["-i", path, ...raw, "--real-time", "--addr", addr]);
  await waitUntil("a result", () => sending.out.includes(" final "));
  dying.signal("SIGKILL");
  const { code, err } = await sending.result();
  expect(err).toMatch(/the stream could not be resumed: no server took it within 2 s|within 2 s/);
  expect(code).toBe(1);
});
