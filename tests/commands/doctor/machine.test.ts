import { describe, expect, test } from "bun:test";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { examineClock } from "../../../src/commands/doctor/checks/clock.ts";
import { examineContainer } from "../../../src/commands/doctor/checks/container.ts";
import { examineDescriptors } from "../../../src/commands/doctor/checks/descriptors.ts";
import { examineMemory } from "../../../src/commands/doctor/checks/memory.ts";
import { examineTemporaryFolder } from "../../../src/commands/doctor/checks/native-library.ts";
import { examineProcessors } from "../../../src/commands/doctor/checks/processors.ts";
import { examinePrograms } from "../../../src/commands/doctor/checks/programs.ts";
import { isOlder } from "../../../src/commands/doctor/checks/system.ts";
import { listeningInodes } from "../../../src/commands/doctor/port-owner.ts";
import { loadConfig } from "../../../src/config/config.ts";
import { findingsOf } from "../../support/findings.ts";

const GIB = 2 ** 30;

type Files = Readonly<Record<string, string>>;

/** The files of a machine. */
const machine = (files: Files, env: Readonly<Record<string, string>> = {}) => ({
  read: (path: string): string | undefined => files[path],
  env,
});

const config = (sets: readonly string[] = []) => loadConfig({ sets });

describe("processors", () => {
  const CPUINFO = "model name\t: Some Processor\nflags\t\t: fpu sse4_2 avx2\n";
  const examine = (files: Files, workers: number, count = 8) =>
    findingsOf((report) => {
      examineProcessors(machine(files), config([`model.workers=${workers}`]).config, report, count);
    });

  test("are described, and their features", async () => {
    const { lines } = await examine({ "/proc/cpuinfo": CPUINFO }, 8);
    expect(lines).toEqual(["ok processors: Some Processor, 8 processors, avx2"]);
    const old = await examine({ "/proc/cpuinfo": CPUINFO.replace(" avx2", "") }, 1);
    expect(old.lines).toEqual([expect.stringMatching(/^note processors: .*without AVX2/)]);
    expect(old.withoutRemedy).toEqual([]);
  });

  test("that a control group takes away from the workers are a warning, with both versions", async () => {
    const version2 = { "/proc/self/cgroup": "0::/app\n", "/sys/fs/cgroup/app/cpu.max": "150000 100000\n" };
    const found = "the control group gives 1.5 of 8 processors (/sys/fs/cgroup/app/cpu.max)";
    const crowded = await examine(version2, 4);
    expect(crowded.lines.slice(1)).toEqual([`warning processor time: ${found}; 4 workers would share it`]);
    expect(crowded.all.at(-1)?.remedy).toStartWith("set --workers 1,");
    expect((await examine(version2, 1)).lines.slice(1)).toEqual([`ok processor time: ${found}`]);
    const version1 = {
      "/proc/self/cgroup": "3:cpu,cpuacct:/app\n",
      "/sys/fs/cgroup/cpu/app/cpu.cfs_quota_us": "50000\n",
      "/sys/fs/cgroup/cpu/app/cpu.cfs_period_us": "100000\n",
    };
    expect((await examine(version1, 2)).lines[1]).toStartWith(
      "warning processor time: the control group gives 0.5 of 8 processors (/sys/fs/cgroup/cpu/app/cpu.cfs_quota_us)",
    );
    const unlimited = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n" };
    expect((await examine(unlimited, 8)).lines).toHaveLength(1);
    expect((await examine({ ...version1, "/sys/fs/cgroup/cpu/app/cpu.cfs_quota_us": "-1\n" }, 8)).lines).toHaveLength(
      1,
    );
  });

  test("that are fewer than workers are a note", async () => {
    expect((await examine({}, 9)).lines[1]).toStartWith("note processor time: 9 workers of models for 8 processors");
  });
});

describe("memory", () => {
  const limits = { arena_mb: 256, inbox_total_mb: 256, results_total_mb: 256 };
  const meminfo = (available: number, swap = "") => ({
    "/proc/meminfo": `MemTotal: 8388608 kB\nMemAvailable: ${available * 1024 ** 2} kB\n${swap}`,
  });
  const examine = (files: Files, changed: Partial<typeof limits> = {}) =>
    findingsOf((report) => examineMemory(machine(files), { ...limits, ...changed }, report, 8 * GIB));

  test("is enough, or a setting takes too much of it", async () => {
    expect((await examine(meminfo(4))).lines).toEqual([
      "ok memory: 8,192 MiB (machine), 4,096 MiB available on the machine; audio may take 256 MiB",
    ]);
    const large = await examine(meminfo(4), { arena_mb: 7_000 });
    expect(large.lines).toEqual([expect.stringMatching(/^warning memory: .*leaves too little/)]);
    expect((await examine(meminfo(1), { arena_mb: 2_000 })).lines).toEqual([
      expect.stringMatching(/^warning memory: .*more than is available now$/),
    ]);
  });

  test("of a container may be less than what waits there at most", async () => {
    const group = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": String(512 * 2 ** 20) };
    const { lines, withoutRemedy } = await examine({ ...meminfo(4), ...group });
    expect(lines).toEqual([expect.stringMatching(/^note memory: 512 MiB \(container\).* 768 MiB at most$/)]);
    expect(withoutRemedy).toEqual([]);
  });

  test("that is swapped out is a warning, unless the group has none", async () => {
    const swap = (free: number) => `SwapTotal: ${2 * 1024 ** 2} kB\nSwapFree: ${free * 1024 ** 2} kB\n`;
    expect((await examine(meminfo(4, swap(2)))).lines[1]).toBe("ok swap: 0 MiB of 2,048 MiB in use");
    expect((await examine(meminfo(4, swap(0.5)))).lines[1]).toStartWith("warning swap: 1,536 MiB of 2,048 MiB in use");
    const group = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.swap.max": "0\n" };
    expect((await examine({ ...meminfo(4, swap(0)), ...group })).lines[1]).toBe("ok swap: none for this control group");
  });
});

describe("file descriptors", () => {
  const examine = (sets: readonly string[], limit: number) =>
    findingsOf((report) => examineDescriptors(config(sets), report, limit));

  test("are compared with sessions, connections and the requests of remote models", async () => {
    const few = ["limits.max_sessions=500", "limits.max_connections=900"];
    expect((await examine(few, 100_000)).lines).toEqual([
      "ok descriptors: 100,000 open files, 900 connections, 500 sessions",
    ]);
    const connections = await examine(few, 800);
    expect(connections.lines[0]).toStartWith("warning descriptors: 800 open files, 900 connections, which");
    expect(connections.all[0]?.remedy).toContain("LimitNOFILE");
    expect((await examine(["limits.max_sessions=500", "limits.max_connections=16"], 400)).lines[0]).toMatch(
      /^warning descriptors: .*enough for \d+ sessions, and limits.max_sessions is 500$/,
    );
    const remote = ["model.name=remote", "model.urls=http://127.0.0.1:1", "model.model=m", "model.concurrency=300"];
    expect((await examine(remote, 200)).lines).toEqual([
      "failure descriptors: concurrency: found 301 requests of remote models at once; allowed: 136, by the limit of open files (ulimit -n)",
    ]);
  });
});

test("a container is recognised, and what models in Python and from files miss there", async () => {
  const python = { model: { ...config().config.model, name: "./m.py" }, models: {} };
  const docker = machine({ "/.dockerenv": "" }, { HOME: "/nonexistent" });
  const options = { mounts: "1 0 0:1 / / ro - overlay overlay ro\n", sharedBytes: 64 * 2 ** 20, pid: 1 };
  const found = await findingsOf((report) => examineContainer(docker, python, report, options));
  expect(found.lines.map((line) => line.split(":")[0])).toEqual([
    "ok container",
    "note process 1",
    "note home folder",
    "note /dev/shm",
  ]);
  expect(found.lines[0]).toBe("ok container: Docker, read-only");
  expect(found.withoutRemedy).toEqual([]);
  const none = await findingsOf((report) => examineContainer(machine({}), python, report, options));
  expect(none.lines).toEqual([]);
  const pod = machine({}, { KUBERNETES_SERVICE_HOST: "10.0.0.1" });
  const builtIn = await findingsOf((report) => examineContainer(pod, config().config, report, options));
  expect(builtIn.lines).toEqual(["ok container: Kubernetes, read-only"]);
});

test("a clock that cannot be right is a failure, one that nothing synchronizes a note", async () => {
  const now = Date.UTC(2030, 0, 1);
  const examine = (time: number, isSynchronized: boolean | undefined) =>
    findingsOf((report) => examineClock(time, isSynchronized, report));
  expect((await examine(now, true)).lines).toEqual(["ok clock: 2030-01-01 00:00:00 UTC, synchronized"]);
  expect((await examine(now, undefined)).lines).toEqual(["ok clock: 2030-01-01 00:00:00 UTC"]);
  const unknown = await examine(now, false);
  expect([unknown.all[0]?.verdict, unknown.withoutRemedy]).toEqual(["note", []]);
  const wrong = await examine(0, true);
  expect(wrong.lines).toEqual([expect.stringMatching(/^failure clock: 1970-01-01 00:00:00 UTC cannot be right/)]);
});

test("a temporary folder that cannot be used is a note, or a warning where the C library needs it", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "streamer-doctor-"));
  const { path } = folder;
  const examine = (env: Readonly<Record<string, string>>, isNeeded: boolean, mounts = "") =>
    findingsOf((report) => examineTemporaryFolder(env, isNeeded, report, mounts));
  expect((await examine({ TMPDIR: path }, true)).all[0]?.verdict).toBe("ok");
  const missing = join(path, "none");
  const needed = await examine({ TMPDIR: missing }, true);
  expect(needed.lines).toEqual([`warning temporary files: ${missing}: the folder does not exist`]);
  expect(needed.withoutRemedy).toEqual([]);
  expect((await examine({ TMPDIR: missing }, false)).lines[0]).toStartWith(
    `note temporary files: ${missing}: the folder`,
  );
  expect((await examine({ TMPDIR: "relative" }, true)).lines).toEqual([
    "warning temporary files: it is not an absolute path",
  ]);
  const noexec = `1 0 0:1 / ${path} rw,noexec - tmpfs tmpfs rw\n`;
  expect((await examine({ TMPDIR: path }, true, noexec)).lines[0]).toMatch(/^warning .*mounted with noexec$/);
});

test("programs that send needs, and are missing, are notes", async () => {
  const found = await findingsOf((report) => examinePrograms({ PATH: "" }, report));
  expect(found.lines.map((line) => line.split(":")[0])).toEqual(["note ffmpeg", "note microphone"]);
  expect(found.withoutRemedy).toEqual([]);
});

test("kernels are compared by their numbers", () => {
  expect(["5.4.0-150-generic", "4.19.0", "5.6.0", "5.10.0-8-amd64", "6.1"].map(isOlder)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

test("the sockets that listen on a port are found in /proc/net/tcp", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0",
    "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4",
    "   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0",
  ].join("\n");
  expect(listeningInodes(table, 8080)).toEqual(["4711"]);
  expect(listeningInodes(table, 80)).toEqual(["4713"]);
  expect(listeningInodes(table, 8081)).toEqual([]);
});
