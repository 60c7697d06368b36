import { expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, readdirSync, readlinkSync } from "node:fs";

import { Arena } from "../../src/audio/arena.ts";
import { ChildProcess } from "../../src/pool/child-process.ts";
import { isAlive } from "../support/process-tree.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** The sockets of this process. */
function sockets(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith("socket:") ? [target] : [];
    } catch {
      return [];
    }
  });
}

test("a program that a process has left behind does not hold descriptors of the server", async () => {
  const before = sockets();
  const own = () => sockets().filter((socket) => !before.includes(socket));
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const lines: string[] = [];
  const launch = {
    // Not in the process group of its parent, which ends with it.
    command: ["sh", "-c", "setsid sleep 1000 & echo $!"],
    environment: { PATH: process.env["PATH"] ?? "" },
  };
  const events = { ended: () => resolve(), output: ({ text }: { text: string }) => void lines.push(text) };
  const child = new ChildProcess(launch, new Arena(1), events);
  await ended;
  closeSync(child.channelFd);
  await waitUntil("what it has printed", () => lines.length > 0);
  const orphan = Number(lines[0]);
  try {
    expect(isAlive(orphan)).toBeTrue();
    // They are still open, because their writer lives.
    expect(own()).toHaveLength(2);
    await waitUntil("the end of its output", () => own().length === 0);
    expect(isAlive(orphan)).toBeTrue();
  } finally {
    process.kill(orphan, "SIGKILL");
  }
});
