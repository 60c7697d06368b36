import { describe, expect, test } from "bun:test";

import { autoArena, MOST_ARENA_MIB } from "../../src/config/auto-arena.ts";
import { memoryLimit } from "../../src/config/memory-limit.ts";

const GIB = 2 ** 30;

/** The limit in a machine with 8 GiB and these files. */
function limit(files: Readonly<Record<string, string>>) {
  const { bytes, from } = memoryLimit((path) => files[path], 8 * GIB);
  return [bytes / GIB, from];
}

describe("the memory that a process may use", () => {
  test("is that of the machine without control groups, and if none of them has a limit", () => {
    expect(limit({})).toEqual([8, "machine"]);
    expect(limit({ "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n" })).toEqual([8, "machine"]);
    const files = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": `${64 * GIB}\n` };
    expect(limit(files)).toEqual([8, "machine"]);
  });

  test("is the least limit from its own group up to the root, with version 2", () => {
    const cgroup = { "/proc/self/cgroup": "0::/pods/one/app\n" };
    const own = { "/sys/fs/cgroup/pods/one/app/memory.max": `${3 * GIB}\n` };
    const above = { "/sys/fs/cgroup/pods/memory.max": `${2 * GIB}\n`, "/sys/fs/cgroup/pods/one/memory.max": "max\n" };
    expect(limit({ ...cgroup, ...own })).toEqual([3, "container"]);
    expect(limit({ ...cgroup, ...own, ...above })).toEqual([2, "container"]);
    expect(limit({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": `${GIB}\n` })).toEqual([1, "container"]);
  });

  test("is found in a container that shows the path of its group outside", () => {
    const cgroup = { "/proc/self/cgroup": "0::/../../system.slice/docker-1.scope\n" };
    expect(limit({ ...cgroup, "/sys/fs/cgroup/memory.max": `${GIB}` })).toEqual([1, "container"]);
  });

  test("is that of the memory controller with version 1, whose greatest number is no limit", () => {
    const cgroup = { "/proc/self/cgroup": "9:name=systemd:/x\n4:cpu,memory:/jobs/7\n3:cpuset:/\n0::/\n" };
    const own = "/sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes";
    expect(limit({ ...cgroup, [own]: `${GIB}\n` })).toEqual([1, "container"]);
    expect(limit({ ...cgroup, [own]: "9223372036854771712\n" })).toEqual([8, "machine"]);
    expect(limit({ ...cgroup, "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${2 * GIB}` })).toEqual([2, "container"]);
  });

  test("of this process is a number of bytes", () => {
    expect(memoryLimit().bytes).toBeGreaterThan(2 ** 24);
  });
});

test("the audio memory is a third of it, between 16 MiB and what an index of a sample reaches", () => {
  const size = (bytes: number) => autoArena({ bytes, from: "container" });
  expect(size(GIB)).toEqual({ value: 341, reason: "auto: a third of the 1024 MiB of the container" });
  expect(size(2 ** 20).value).toBe(16);
  expect(size(1000 * GIB).value).toBe(MOST_ARENA_MIB);
  expect(MOST_ARENA_MIB).toBe(16_384);
});
