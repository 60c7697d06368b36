import { expect, setDefaultTimeout, test } from "bun:test";
import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { loadConfig } from "../../../src/config/config.ts";
import { validateModelSettings } from "../../../src/model/models.ts";
import { BUILD_MS, sharedExecutable } from "../../support/executable.ts";
import { output } from "../../support/output.ts";
import { testWith, tool } from "../../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS + 120_000);

const root = join(import.meta.dir, "..", "..", "..");
const folder = join(root, "deploy", "systemd");
const unit = await Bun.file(join(folder, "streamer.service")).text();
const analyze = tool("systemd-analyze", "systemd");
const sysusers = tool("systemd-sysusers", "systemd");
const strace = tool("strace", "strace");
const UNITS = "/usr/lib/systemd/system";

/** The last value of a directive. */
function directive(name: string): string | undefined {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].at(-1)?.[1];
}

/** Seconds that a drain of this server takes at most: its two limits, and 5 s for the goodbye. */
function drainSeconds(): number {
  const { limits } = loadConfig().config;
  return (limits.drain_timeout_ms + limits.finish_ms) / 1000 + 5;
}

/** Checks a unit as if it were installed, with a program where ExecStart= has one. */
async function verified(text: string): Promise<{ code: number; text: string }> {
  const machine = await mkdtemp(join(tmpdir(), "streamer-systemd-"));
  try {
    for (const path of ["usr/local/bin", "bin", "etc/systemd/system", UNITS.slice(1)])
      await mkdir(join(machine, path), { recursive: true });
    await copyFile("/bin/true", join(machine, "usr/local/bin/streamer"));
    await copyFile("/bin/kill", join(machine, "bin/kill"));
    for (const name of (await readdir(UNITS)).filter((each) => each.endsWith(".target")))
      await copyFile(join(UNITS, name), join(machine, UNITS, name));
    await Bun.write(join(machine, "etc/systemd/system/streamer.service"), text);
    return await output([analyze!, `--root=${machine}`, "--man=no", "verify", "streamer.service"], root);
  } finally {
    await rm(machine, { recursive: true });
  }
}

testWith(analyze)("systemd knows every directive of the unit, and its hardening stays", async () => {
  expect(await verified(unit)).toEqual({ code: 0, text: "" });
  expect((await verified(unit.replace("KillMode=", "KilMode="))).text).toContain("KilMode");
  const path = join(folder, "streamer.service");
  // The exposure, times ten: what systemd calls OK is below 5.
  const { code, text } = await output([analyze!, "security", "--offline=true", "--threshold=16", path], root);
  expect([code, text]).toEqual([0, expect.stringContaining("Overall exposure level for streamer.service")]);
});

testWith(sysusers)("the user of the unit is the one that sysusers makes", async () => {
  const machine = await mkdtemp(join(tmpdir(), "streamer-sysusers-"));
  try {
    await mkdir(join(machine, "etc"));
    const made = await output([sysusers!, `--root=${machine}`, join(folder, "streamer.sysusers")], root);
    expect([made.code, made.text]).toEqual([0, expect.any(String)]);
    const users = await Bun.file(join(machine, "etc/passwd")).text();
    expect(users).toMatch(/^streamer:x:\d+:\d+:Streamer:\/:\/usr\/sbin\/nologin$/m);
    expect([directive("User"), directive("Group")]).toEqual(["streamer", "streamer"]);
  } finally {
    await rm(machine, { recursive: true });
  }
});

test("the unit waits for the drain, and its example files are valid settings", async () => {
  expect(Number(directive("TimeoutStopSec"))).toBeGreaterThanOrEqual(drainSeconds());
  const variables = (await Bun.file(join(folder, "streamer.env")).text()).matchAll(/^(?:# )?([A-Z_]+)=(.*)$/gm);
  const env = Object.fromEntries([...variables].map(([, name = "", value = ""]) => [name, value]));
  expect(env).toHaveProperty("STREAMER__LIMITS__MAX_SESSIONS", "2000");
  const file = join(folder, "streamer.yaml");
  const { config, warnings } = loadConfig({ file, env, validateModelSettings });
  expect(warnings).toEqual([]);
  expect(config.server.admin).toBe(`unix:/run/${directive("RuntimeDirectory")}/admin.sock`);
  expect(directive("ExecStart")).toBe("/usr/local/bin/streamer serve --config /etc/streamer/streamer.yaml");
  expect(directive("EnvironmentFile")).toBe("-/etc/streamer/streamer.env");
});

testWith(analyze, strace)(
  "the system calls of a server with streams are among those that the unit allows",
  async () => {
    const executable = await sharedExecutable();
    const trace = join(executable.folder, "calls");
    const under = [strace!, "-f", "-qq", "-c", "-U", "name", "-o", trace];
    const settings = { "server.admin": `unix:${executable.folder}/admin.sock`, "model.workers": 1 };
    const server = executable.launch(settings, [], {}, under);
    await server.waitUntilReady();
    const sample = join(root, "tests", "data", "two-speakers-48k.wav");
    const addr = `ws://127.0.0.1:${server.port}/api/v1/segmented`;
    expect((await executable.run(["send", "--addr", addr, "-i", sample])).code).toBe(0);
    // strace passes the signal on, since it is of its own group, and writes its table when the server has ended.
    const [traced = 0] = (await output(["ps", "-o", "pid=", "--ppid", String(server.pid)], root)).text
      .split("\n")
      .map(Number);
    process.kill(traced, "SIGTERM");
    await server.waitForExit();
    const names = (await Bun.file(trace).text()).split("\n").map((line) => line.trim());
    const used = names.filter((name) => /^[a-z]\w+$/.test(name) && !["syscall", "total"].includes(name));
    expect(used.length).toBeGreaterThan(30);
    const [added, removed] = [...unit.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)].map(([, , sets = ""]) =>
      sets.split(" "),
    );
    const allowed = await systemCalls(added ?? []);
    const refused = await systemCalls(removed ?? []);
    expect(used.filter((name) => !allowed.has(name) || refused.has(name))).toEqual([]);
  },
);

/** The system calls in these sets of systemd, with the sets within them. */
async function systemCalls(sets: readonly string[]): Promise<Set<string>> {
  const calls = new Set<string>();
  for (const set of sets) {
    const { text } = await output([analyze!, "syscall-filter", set], root);
    const lines = text
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
    const names = lines.filter((line) => line !== "" && !line.startsWith("#"));
    for (const name of names.filter((each) => !each.startsWith("@"))) calls.add(name);
    for (const name of await systemCalls(names.filter((each) => each.startsWith("@")))) calls.add(name);
  }
  return calls;
}
