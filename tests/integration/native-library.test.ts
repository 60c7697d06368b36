import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, noise } from "../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { onlyStream } from "../support/ledgers.ts";
import { testWith } from "../support/requirements.ts";
import { waitUntil } from "../support/wait.ts";
import { withoutMemoryPrograms } from "../support/without-memory-programs.ts";

setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const INSTANT = { "model.workers": 2, "model.delay": 0, "model.warmup_penalty": 1 };

/** Runs a command in a mount namespace in which a folder is a file system of its own: options, folder, command. */
const MOUNTED = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o "$0" none "$1" && shift && exec "$@"'];
const canMount = Bun.spawnSync([...MOUNTED, "rw", "/mnt", "true"], { stderr: "ignore" }).success || undefined;
const SOMEBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const canChangeUser = Bun.spawnSync([...SOMEBODY, "true"], { stderr: "ignore" }).success || undefined;

let folder = "";
let preload: { LD_PRELOAD: string };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-library-test-"));
  await chmod(folder, 0o755);
  preload = await withoutMemoryPrograms(folder);
});
afterAll(async () => await rm(folder, { recursive: true }));

/** A new temporary folder for a process. */
async function temporary(name: string, mode = 0o1777): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  await chmod(path, mode);
  return path;
}

/** A stream through a server, in which a worker copies audio by the C library. */
async function converse(server: ServeProcess): Promise<void> {
  using client = await server.connect({ path: "/api/v1/simple" });
  await client.sendStream(encode("s16", noise(0.6)));
  expect(onlyStream(client.events).stopped).toMatchObject({ channels: [{ decoded: 9_600, inferred: 9_600 }] });
}

describe("the C library in the executable", () => {
  test("is loaded from sealed memory: no temporary folder is needed, and nothing is left in it", async () => {
    const place = await temporary("unused");
    for (const TMPDIR of [place, join(folder, "missing"), "."]) {
      const server = await executable.serve(INSTANT, [], { TMPDIR });
      const maps = await readFile(`/proc/${server.pid}/maps`, "utf8");
      expect(maps).toContain("/memfd:streamer-library (deleted)");
      expect(maps).not.toContain(".so (deleted)");
      await converse(server);
      server.signal("SIGKILL");
      await server.waitForExit();
    }
    expect(await readdir(place)).toEqual([]);
  });

  testWith(canMount)(
    "is loaded where the temporary folder does not allow execution, is read-only or full",
    async () => {
      const place = await temporary("mounted");
      for (const options of ["noexec", "ro", "size=4k"]) {
        const server = await executable.serve(INSTANT, [], { TMPDIR: place }, [...MOUNTED, options, place]);
        await converse(server);
      }
    },
  );

  testWith(canChangeUser)("is loaded by a user who may write nowhere", async () => {
    const place = await temporary("foreign", 0o700);
    await chmod(executable.folder, 0o755);
    const server = await executable.serve(INSTANT, [], { TMPDIR: place }, SOMEBODY);
    await converse(server);
  });

  test("is shared by the workers of a process, also by those that replace others", async () => {
    const settings = { "model.workers": 3, "model.delay": 0, "model.warmup_penalty": 1, "model.panic_rate": 0.5 };
    const server = await executable.serve(settings);
    for (let n = 0; n < 4; n++) {
      using client = await server.connect({ path: "/api/v1/simple" });
      await client.sendStream(encode("s16", noise(2)));
    }
    const crashed = () => server.log.some(({ event }) => event === "worker_crashed" || event === "worker_exited");
    await waitUntil("a worker crashes", crashed);
    const maps = await readFile(`/proc/${server.pid}/maps`, "utf8");
    const starts = maps
      .split("\n")
      .filter((line) => line.includes("memfd:streamer-library") && / 00000000 /.test(line));
    expect(starts).toHaveLength(1);
  });

  test("is loaded by each of several processes", async () => {
    const server = await executable.serve({ ...INSTANT, "model.workers": 1, "server.processes": 2 });
    for (let n = 0; n < 4; n++) await converse(server);
  });
});

describe("where no program may run from memory, the C library in the executable", () => {
  test("is loaded from a private folder, which is removed at once: killed servers leave nothing", async () => {
    const place = await temporary("fallback");
    for (let n = 0; n < 3; n++) {
      const server = await executable.serve(INSTANT, [], { TMPDIR: place, ...preload });
      expect(await readdir(place)).toEqual([]);
      await converse(server);
      server.signal("SIGKILL");
      await server.waitForExit();
    }
  });

  test("is not loaded from what somebody has prepared in the temporary folder", async () => {
    const place = await temporary("hostile");
    const trap = join(folder, "trap");
    await mkdir(trap);
    const names = ["streamer-library-", "streamer-library", "libstreamer_audio.so", `.bun-${process.getuid!()}`];
    for (const name of names) await symlink(trap, join(place, name));
    const server = await executable.serve(INSTANT, [], { TMPDIR: place, ...preload });
    await converse(server);
    expect(await readdir(trap)).toEqual([]);
    expect((await readdir(place)).sort()).toEqual(names.sort());
  });

  test("is used by several processes that start at once", async () => {
    const place = await temporary("several");
    const servers = await Promise.all(
      [1, 2, 3].map(async () => await executable.serve(INSTANT, [], { TMPDIR: place, ...preload })),
    );
    for (const server of servers) await converse(server);
    expect(await readdir(place)).toEqual([]);
  });

  /** Commands that need no native code. */
  const OTHER_COMMANDS = [
    ["--help"],
    ["--version"],
    ["serve", "--help"],
    ["serve", "--print-config"],
    ["send", "--help"],
  ];

  async function refusal(TMPDIR: string, options: { under?: readonly string[] } = {}): Promise<string> {
    const env = { TMPDIR, ...preload };
    for (const command of OTHER_COMMANDS) {
      const { code, err } = await executable.run(command, { ...options, env });
      expect([command, code, err]).toEqual([command, 0, ""]);
    }
    const { code, out, err } = await executable.run(["serve", "--port", "0"], { ...options, env });
    expect([code, out, err.startsWith("streamer: the C library can be loaded neither from memory (")]).toEqual([
      ...[1, ""],
      true,
    ]);
    return err;
  }

  test("cannot be loaded from a temporary folder that is missing or relative, which one sentence says", async () => {
    const missing = join(folder, "missing");
    expect(await refusal(missing)).toEndWith(
      ` nor from the temporary folder ${missing} (TMPDIR): it does not exist; ` +
        "set TMPDIR to a folder that can be written to and allows execution\n",
    );
    expect(await refusal(".")).toContain("folder . (TMPDIR): it is not an absolute path; set TMPDIR to");
  });

  test("cannot be loaded from a temporary folder in which others may rename files", async () => {
    expect(await refusal(await temporary("open", 0o777))).toContain(
      "(TMPDIR): others may rename files in it (no sticky bit); set TMPDIR to",
    );
  });

  testWith(canChangeUser)("cannot be loaded from a temporary folder of another user", async () => {
    const place = await temporary("theirs", 0o1777);
    await chown(place, 65_534, 65_534);
    expect(await refusal(place)).toContain("(TMPDIR): it belongs to another user; set TMPDIR to");
  });

  testWith(canMount)("cannot be loaded from a temporary folder that is noexec, read-only or full", async () => {
    const place = await temporary("unusable");
    for (const [options, problem] of [
      ["noexec", "it is mounted with noexec"],
      ["ro", "it is read-only"],
      ["size=4k", "it is full"],
    ] as const) {
      expect(await refusal(place, { under: [...MOUNTED, options, place] })).toContain(
        `(TMPDIR): ${problem}; set TMPDIR to`,
      );
    }
  });
});
