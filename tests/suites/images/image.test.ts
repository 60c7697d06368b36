import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";

import manifest from "../../../package.json" with { type: "json" };
import { SETTINGS } from "../../../src/config/config.ts";
import { encode, noise } from "../../support/audio.ts";
import { ignoredBy, parseDockerfile } from "../../support/deploy/dockerfile.ts";
import { filesBelow, type ImageConfig, ScratchBuild } from "../../support/deploy/image.ts";
import { withTimeout } from "../../support/wait.ts";
import { WebSocketClient } from "../../support/websocket-client.ts";

const root = join(import.meta.dir, "..", "..", "..");
const stages = parseDockerfile(await Bun.file(join(root, "Dockerfile")).text());
const BUILD_MS = 300_000;

/** Returns the registry that npm is configured for. Bun does not read all of npm's configuration files. */
function registryEnv(): Record<string, string> {
  const { stdout, success } = Bun.spawnSync(["npm", "config", "get", "registry"], { cwd: root, stderr: "ignore" });
  const registry = stdout.toString().trim();
  return success && registry !== "" ? { NPM_CONFIG_REGISTRY: registry } : {};
}

let build: ScratchBuild;
let image: ImageConfig;

beforeAll(async () => {
  build = await ScratchBuild.create({
    context: root,
    images: { "oven/bun": { "/usr/local/bin/bun": process.execPath } },
    env: { HOME: process.env["HOME"], TMPDIR: process.env["TMPDIR"], ...registryEnv() },
    arch: process.arch === "arm64" ? "arm64" : "amd64",
  });
  image = await build.run(stages);
}, BUILD_MS);

afterAll(async () => {
  await build?.[Symbol.asyncDispose]();
});

const isRoot = process.getuid?.() === 0;
/** Remounts everything read-only except the given folder, like `docker run --read-only --tmpfs /tmp`. */
const READ_ONLY = 'mount -o remount,bind,ro / && mount -t tmpfs -o noexec,mode=1777 none "$0" && exec "$@"';
const canMount =
  isRoot && Bun.spawnSync(["unshare", "-m", "sh", "-c", "mount -o remount,bind,ro /"], { stderr: "ignore" }).success;

/** Wraps a command of the image to run as the image's user on a read-only file system. */
function asContainer(command: readonly string[], env: Readonly<Record<string, string>>): string[] {
  const [uid = "", gid = ""] = image.user.split(":");
  const user = isRoot ? ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"] : [];
  const program = ["env", "-i", ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...command];
  const inside = [...user, ...program];
  return canMount ? ["unshare", "-m", "sh", "-c", READ_ONLY, env["TMPDIR"] ?? "", ...inside] : inside;
}

async function run(command: readonly string[]): Promise<{ code: number; text: string }> {
  const child = Bun.spawn([...command], { cwd: join(image.root, image.workdir), stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, text: out + err };
}

describe("the Dockerfile", () => {
  test("builds with the Bun that package.json pins, and compiles C on the base of the final image", () => {
    expect(stages.map(({ base }) => base)).toContain(`oven/bun:${manifest.devDependencies.bun}`);
    const final = stages.at(-1)?.base;
    expect(final).toBe("debian:bookworm-slim");
    expect(stages.find(({ name }) => name === "compiler")?.base).toBe(final!);
    expect(build.packages).toContain("gcc");
    expect(stages.map(({ base }) => base).filter((base) => /:latest$/.test(base))).toEqual([]);
  });

  test("puts only the program and its licence into the image", async () => {
    expect(await filesBelow(image.root)).toEqual(["app/LICENSE", "app/streamer"]);
  });

  test("labels the image with the version, the licence and the description of the package", () => {
    expect(image.labels).toMatchObject({
      "org.opencontainers.image.version": manifest.version,
      "org.opencontainers.image.licenses": manifest.license,
      "org.opencontainers.image.description": manifest.description.split(":")[0],
    });
  });

  test("exposes the port that it listens on, reachable from outside of the container", () => {
    expect(image.ports).toEqual([SETTINGS.server.port.default]);
    expect(image.env["STREAMER__SERVER__PORT"]).toBe(String(image.ports[0]));
    expect(image.env["STREAMER__SERVER__HOST"]).toBe("0.0.0.0");
  });

  test("runs as a numeric user that is not root", () => {
    expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  test("refuses an unsupported architecture by name", async () => {
    await using other = await ScratchBuild.create({ context: root, images: {}, env: {}, arch: "riscv64" });
    const check = stages
      .find(({ name }) => name === "build")
      ?.instructions.filter(({ name, text }) => name === "ARG" || text.includes("TARGETARCH"));
    expect(other.run([{ name: "build", base: "scratch", instructions: check ?? [] }])).rejects.toThrow("riscv64");
  });

  test("needs only the C library of its base image", () => {
    const needs = Bun.spawnSync(["ldd", join(image.root, "app", "streamer")]).stdout.toString();
    const libraries = [...needs.matchAll(/^\s*(\S+?)\.so/gm)].map(([, name = ""]) => name.replace(/^.*\//, ""));
    const known = ["linux-vdso", "libc", "libm", "libdl", "libpthread", "ld-linux-x86-64", "ld-linux-aarch64"];
    expect(libraries.filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe("the image", () => {
  test(
    "serves, passes its health check and shuts down gracefully, as its own user on a read-only file system",
    async () => {
      const [temporary = ""] = image.volumes;
      expect(temporary).toBe("/tmp");
      const tmp = join(image.root, temporary);
      await mkdir(tmp, { recursive: true });
      await chmod(tmp, 0o1777);
      using probe = Bun.serve({ port: 0, fetch: () => new Response() });
      const port = Number(probe.port);
      await probe.stop(true);
      const env = { ...image.env, STREAMER__SERVER__PORT: String(port), TMPDIR: tmp };

      const server = Bun.spawn(asContainer([...image.entrypoint, ...image.command, "--workers", "1"], env), {
        cwd: join(image.root, image.workdir),
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      try {
        const reader = server.stdout.getReader();
        const output = await withTimeout("the server listens", reader.read());
        expect(new TextDecoder().decode(output.value)).toBe(`listening on http://0.0.0.0:${port}\n`);

        const check = asContainer(image.healthcheck, env);
        expect(await run(check)).toEqual({ code: 0, text: "healthy\n" });
        const ready = asContainer([...image.healthcheck, "--ready"], env);
        expect(await run(ready)).toEqual({ code: 0, text: "ready\n" });

        using client = await WebSocketClient.connect(port, { path: "/api/v1/simple" });
        await client.sendStream(encode("s16", noise(0.5)));

        server.kill(image.stopSignal as NodeJS.Signals);
        expect(await withTimeout("the server exits", server.exited)).toBe(0);
        const log = await new Response(server.stderr).text();
        expect(log).toContain('"event":"stream_stopped"');
        // All machines that reach the port of the container may use it.
        expect(log).toContain('"event":"open_to_everybody"');
        expect((await run(check)).code).toBe(1);
        expect(await filesBelow(join(image.root, "app"))).toEqual(["LICENSE", "streamer"]);
        if (!canMount) console.warn("NOT TRIED: a read-only file system (needs root and the permission to mount)");
      } finally {
        server.kill("SIGKILL");
        await server.exited;
      }
    },
    BUILD_MS,
  );
});

describe("the Dockerfile parser", () => {
  test("joins continued lines, removes comments and substitutes arguments", () => {
    const text = '# a\nARG V=1\nFROM a:${V} AS one\nRUN b \\\n # c\n && d\nFROM one\nLABEL x="y z"\n';
    expect(parseDockerfile(text)).toEqual([
      { name: "one", base: "a:1", instructions: [{ name: "RUN", text: "b && d" }] },
      { name: "1", base: "one", instructions: [{ name: "LABEL", text: 'x="y z"' }] },
    ]);
  });

  test("excludes a path by the last matching pattern of .dockerignore", () => {
    const isIgnored = ignoredBy("# only src\n*\n!src\nsrc/build\n**/*.log\n");
    expect(["a", "src", "src/a.ts", "src/build/x", "src/a/b.log", "x.log"].map(isIgnored)).toEqual([
      ...[true, false, false],
      ...[true, true, true],
    ]);
  });
});
