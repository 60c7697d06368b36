import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, linkSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { buildExecutable } from "../../scripts/build.ts";
import { run } from "../../scripts/release/command.ts";
import { fillWrapperPackage, packNpm } from "../../scripts/release/contents.ts";
import { TARGETS } from "../../scripts/release/targets.ts";
import { encode, noise } from "../support/audio.ts";
import { root } from "../support/documents.ts";
import { parseEvents, ServeProcess } from "../support/executable.ts";
import { onlyStream } from "../support/ledgers.ts";
import { reportMissing, testWith } from "../support/requirements.ts";
import { afterCopies } from "../support/signal-handlers.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const platform = `streamer-${process.platform}-${process.arch}`;
mkdirSync(join(root, "native", "build"), { recursive: true });
// Where the executable is, so that it can be linked instead of copied.
const scratch = mkdtempSync(join(root, "native", "build", "npm-command-"));
const project = join(scratch, "project");
const command = join(project, "node_modules", ".bin", "streamer");
const OFFLINE = { npm_config_offline: "true", npm_config_update_notifier: "false" };
const shim = join(root, "deploy", "release", "streamer.sh");

beforeAll(async () => {
  const wrapper = join(scratch, "wrapper");
  await fillWrapperPackage(wrapper, TARGETS, { manual: "" });
  const packed = await packNpm(wrapper, scratch);
  mkdirSync(project);
  // A project of its own: npm would take the folder above otherwise.
  writeFileSync(join(project, "package.json"), '{ "private": true }');
  // Without a registry, npm leaves out the optional dependencies.
  const quiet = ["--offline", "--silent", "--no-audit", "--no-fund"];
  await run(["npm", "install", ...quiet, join(scratch, packed)], { cwd: project });
});

afterAll(() => rmSync(scratch, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function ended(program: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = Bun.spawn([...program], { cwd: project, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

/** An environment in which `uname` says that this is another machine. */
function machine(system: string, processor: string): Record<string, string> {
  const folder = mkdtempSync(join(scratch, "uname-"));
  const uname = join(folder, "uname");
  writeFileSync(uname, `#!/bin/sh\n[ "$1" = -s ] && echo ${system} || echo ${processor}\n`);
  chmodSync(uname, 0o755);
  return { PATH: `${folder}:/usr/bin:/bin` };
}

describe("the command of the npm package, where it cannot run, ends with code 1 and", () => {
  test("names the package that is missing, and the probable causes", async () => {
    const { code, out, err } = await ended([command, "serve"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toStartWith(`streamer: the package ${platform} is not installed.\n`);
    expect(err).toContain("--omit=optional");
    expect(
      err
        .split("\n")
        .slice(0, -1)
        .every((line) => line.startsWith("streamer: ")),
    ).toBeTrue();
  });

  test("names the system or the processor that it does not run on", async () => {
    const mac = await ended([command], machine("Darwin", "arm64"));
    expect([mac.code, mac.err]).toEqual([
      1,
      "streamer: found Darwin on arm64; it runs on Linux with the GNU C library, on x86_64 and aarch64. " +
        "On other systems, run it in a container.\n",
    ]);
    const board = await ended([command], machine("Linux", "riscv64"));
    expect([board.code, board.err]).toEqual([1, expect.stringContaining("found Linux on riscv64; it runs on")]);
  });

  const foreign =
    process.arch === "arm64" ? ["x86_64", "/lib64/ld-linux-x86-64.so.2"] : ["aarch64", "/lib/ld-linux-aarch64.so.1"];
  const absent = Bun.file(foreign[1]!).size === 0 || undefined;
  if (absent === undefined) reportMissing(`a system without ${foreign[1]}`);
  testWith(absent)("names the loader of the GNU C library that a system with musl does not have", async () => {
    const { code, err } = await ended([command], machine("Linux", foreign[0]!));
    expect([code, err]).toEqual([1, expect.stringContaining(`found no ${foreign[1]}; it runs on Linux with the GNU`)]);
    expect(err).toContain("musl");
  });
});

describe("the command of the npm package finds the executable", () => {
  /** Puts a program that prints its arguments where a package manager would. */
  function program(folder: string): void {
    const bin = join(folder, "node_modules", platform, "bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "streamer"), `#!/bin/sh\nprintf '<%s>' "$@"\nexit 7\n`);
    chmodSync(join(bin, "streamer"), 0o755);
  }

  /** Puts the command into a package of its own. Returns its path. */
  function installed(folder: string): string {
    const bin = join(folder, "node_modules", "streamer", "bin");
    mkdirSync(bin, { recursive: true });
    linkSync(shim, join(bin, "streamer.bin"));
    return join(bin, "streamer.bin");
  }

  test("beside itself, below itself (npm install -g), above itself (workspaces) and through links (pnpm)", async () => {
    const [beside, below, above, linked] = ["beside", "be low", "above", "linked"].map((name) =>
      join(scratch, name),
    ) as [string, string, string, string];
    const paths = [
      installed(beside),
      installed(below),
      installed(join(above, "packages", "one")),
      join(linked, "node_modules", "streamer", "bin", "streamer.bin"),
    ];
    program(beside);
    program(join(below, "node_modules", "streamer"));
    program(above);
    const store = join(linked, "node_modules", ".pnpm", "streamer@1.0.0");
    installed(store);
    program(store);
    symlinkSync(join(".pnpm", "streamer@1.0.0", "node_modules", "streamer"), join(linked, "node_modules", "streamer"));
    for (const path of paths) {
      expect([path, await ended([path, "a b", "", "*", "$HOME", "new\nline"])]).toEqual([
        path,
        { code: 7, out: "<a b><><*><$HOME><new\nline>", err: "" },
      ]);
    }
  });
});

describe("the command of the npm package is the executable", () => {
  const servers: ServeProcess[] = [];

  beforeAll(async () => {
    const bin = join(project, "node_modules", platform, "bin");
    mkdirSync(bin, { recursive: true });
    linkSync(await buildExecutable(), join(bin, "streamer"));
  });

  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
  });

  async function serve(
    program: readonly string[],
    env: Record<string, string>,
    ...args: string[]
  ): Promise<ServeProcess> {
    const fast = ["--set", "model.delay=0", "--set", "model.warmup_penalty=1", "--set", "model.workers=1"];
    const child = Bun.spawn([...program, "serve", "--port", "0", "--log-format", "json", ...fast, ...args], {
      cwd: project,
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const server = new ServeProcess(child);
    servers.push(server);
    await server.waitUntilReady();
    return server;
  }

  /** Serves, and sends a signal while a stream is open, which then ends in order. */
  async function drain(program: readonly string[], env: Record<string, string>): Promise<ServeProcess> {
    const server = await serve(program, env);
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", noise(0.3)));
    await client.nextEvent("started");
    server.signal("SIGTERM");
    await client.nextEvent("warning");
    await client.sendAudio(encode("s16", noise(0.3)));
    client.stop();
    await client.nextEvent("stopped");
    expect(onlyStream(client.events).stopped).toMatchObject({ reason: "stop", channels: [{ failed: 0 }] });
    return server;
  }

  test("SIGTERM drains it, and no process stays beside it", async () => {
    const server = await drain([command], {});
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    const running = await serve([command], {});
    expect(readlinkSync(`/proc/${running.pid}/exe`)).toBe(join(project, "node_modules", platform, "bin", "streamer"));
  });

  test("a second signal ends it at once, with the exit code of the signal", async () => {
    const server = await serve([command], {}, "--set", "model.delay=60", "--set", "model.warmup_penalty=0");
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", noise(0.6)));
    await client.nextEvent("started");
    server.signal("SIGINT");
    await client.nextEvent("warning");
    await afterCopies();
    server.signal("SIGINT");
    expect(await server.waitForExit()).toEqual({ code: 130, signal: null });
  });

  test("standard streams and exit codes are its own", async () => {
    const server = await serve([command], {});
    const child = Bun.spawn([command, "send", "-i", "-", "--addr", `127.0.0.1:${server.port}`, "--format", "json"], {
      cwd: project,
      env: {},
      stdin: Bun.file(join(root, "tests", "data", "two-speakers-48k.wav")),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, code] = await Promise.all([child.stdout.text(), child.exited]);
    expect(code).toBe(0);
    expect(parseEvents(out).filter(({ type }) => type === "segment")).toHaveLength(7);
    for (const args of [["--version"], ["no-such-command"], ["serve", "--set", "limits.arena_mb=none"]]) {
      expect(await ended([command, ...args])).toEqual(await ended([await buildExecutable(), ...args]));
    }
  });

  const passes = Bun.spawnSync(["setpriv", "--pdeathsig", "keep", "true"], { stderr: "ignore" }).success || undefined;
  if (passes === undefined) reportMissing("setpriv of util-linux cannot set a parent-death signal");
  testWith(passes)("a SIGTERM for npx alone drains it, too", async () => {
    const { PATH = "" } = process.env;
    const server = await drain(["npx", "--no-install", "streamer"], {
      PATH,
      HOME: scratch,
      ...OFFLINE,
    });
    // The log ends when the server does; npm does not wait for that.
    await server.waitForExit();
    expect(server.log.map((record) => record["event"])).toContain("stopped");
  });
});
