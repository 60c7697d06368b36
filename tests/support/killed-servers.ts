import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { seeded } from "./audio.ts";
import { CuttingProxy } from "./cutting-proxy.ts";
import type { Executable } from "./executable.ts";
import type { Settings } from "./in-process-server.ts";
import { SendProcess } from "./send-process.ts";
import { waitUntil } from "./wait.ts";

const SAMPLE = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");

/** Settings of a server that resumes streams, with a key in the folder of the executable. */
export function resumes({ folder }: Executable): Settings {
  const keys = join(folder, "keys");
  writeFileSync(keys, `key ${Buffer.alloc(32, 5).toString("base64")}\n`);
  return { "auth.secret_file": keys, "limits.resume_ms": 60_000, "model.workers": 1, "model.delay": 0 };
}

/** Writes seven seconds of the sample, with utterances of both speakers. Returns the arguments of `send` for them. */
export async function partOfSample({ folder }: Executable): Promise<string[]> {
  const bytes = await Bun.file(SAMPLE).bytes();
  const path = join(folder, "part.raw");
  await Bun.write(path, bytes.subarray(44, 44 + 7 * 192_000));
  return ["-i", path, "--raw", "--rate", "48000", "--channels", "2", "--real-time"];
}

/**
 * Checks that a stream survives a server that is killed: another one goes on, and `send` ends with 0 and an exact ledger.
 * Returns a figure for the table of promises.
 */
export async function checkKilledServers(executable: Executable, rounds: number, seed: number): Promise<string> {
  const random = seeded(seed);
  const settings = resumes(executable);
  const part = await partOfSample(executable);
  for (let round = 0; round < rounds; round++) {
    const dying = await executable.serve(settings);
    const other = await executable.serve(settings);
    using proxy = new CuttingProxy([dying.port, other.port], []);
    const addr = `ws://127.0.0.1:${proxy.port}/api/v1/segmented`;
    await using sending = new SendProcess(executable, [...part, "--addr", addr]);
    await waitUntil("a result", () => sending.out.includes(" final "));
    await Bun.sleep(random() * 1500);
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
  return `0 samples missing after ${rounds} servers killed`;
}
