import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { sharedExecutable } from "../support/executable.ts";
import { ORDERS } from "../support/models/puppet.ts";
import { modelPath, testPool } from "../support/pool-harness.ts";
import { testWith, tool } from "../support/requirements.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** What docs/models.md says about child processes of models. */

const folder = await mkdtemp(join(tmpdir(), "streamer-children-"));
const files: string[] = [];

afterAll(async () => {
  for (const pid of (await Promise.all(files.map(pidsIn))).flat()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  await rm(folder, { recursive: true });
});

function newFile(): string {
  const file = join(folder, crypto.randomUUID());
  files.push(file);
  return file;
}

async function pidsIn(file: string): Promise<number[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").filter(Boolean).map(Number);
}

/** False also for a process that has ended and has not been waited for: nobody does when its thread has ended. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Waits until a child runs its program: before that, `setpriv` has not asked for the signal at its parent's end. */
async function waitUntilRunning(pid: number): Promise<void> {
  const runs = (): boolean => isAlive(pid) && /^\d+ \((?:cat|sleep)\) /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  await waitUntil(`the child ${pid} runs its program`, runs);
}

async function waitUntilDead(pid: number | undefined): Promise<void> {
  await waitUntil(`the child ${pid} has ended`, () => pid !== undefined && !isAlive(pid));
}

const executable = await sharedExecutable();
const testSetpriv = testWith(tool("setpriv", "util-linux"));

describe.each(["stdin", "setpriv"])("a child process that ends with its thread (%s)", (way) => {
  const testHere = way === "setpriv" ? testSetpriv : test;

  testHere("ends when the worker exits, and when it is terminated", async () => {
    const file = newFile();
    await using kit = await testPool({
      model: modelPath("with-child"),
      settings: { file, way },
      inferenceTimeoutMs: 200,
    });
    for (const order of [ORDERS.exit, ORDERS.spin]) {
      const [pid] = (await pidsIn(file)).slice(-1);
      await waitUntilRunning(pid!);
      await kit.submit(kit.lane(), [order]);
      await kit.until(() => kit.pool.load.workersReady === 1);
      await waitUntilDead(pid);
    }
  });

  testHere("ends when the server is killed", async () => {
    const file = newFile();
    const settings = { "model.workers": 1, "model.file": file, "model.way": way };
    const server = await executable.serve(settings, ["--model", modelPath("with-child")]);
    const [pid] = await pidsIn(file);
    await waitUntilRunning(pid!);
    server.signal("SIGKILL");
    await waitUntilDead(pid);
  });
});

test("a child process that `close` ends is ended when a late call returns, and at shutdown", async () => {
  const file = newFile();
  const settings = { file, way: "none", close: true };
  const kit = await testPool({ model: modelPath("with-child"), settings, inferenceTimeoutMs: 100 });
  await kit.submit(kit.lane(), [ORDERS.overtime]);
  await kit.until(() => kit.pool.load.workersReady === 1);
  const [first, second] = await pidsIn(file);
  await waitUntilDead(first);
  expect(isAlive(second!)).toBe(true);
  await kit.pool.close();
  await waitUntilDead(second);
});
