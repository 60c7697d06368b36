// Each artefact, used as its users do: in an empty folder, with an empty environment.

import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { root, run } from "./command.ts";
import { isThisMachine, type Target } from "./targets.ts";

export const RECORDING = join(root, "tests", "data", "two-speakers-48k.wav");
/** Utterances in the recording. */
export const RESULTS = 7;
/** The longest that a server may take to listen or to end; an emulated one takes 10 s. */
const WAIT_MS = 120_000;
/** npm ends by the signal that it gets, whatever its command does. */
const NPM_END_CODE = 143;

/** Calls `use` with a new empty folder, and removes it. */
export async function inEmptyFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "streamer-release-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The command that runs programs for a target here: an empty one, an emulator, or undefined when there is none. */
export function emulatorFor(target: Target): readonly string[] | undefined {
  if (isThisMachine(target)) return [];
  return Bun.which(target.emulator[0] ?? "") === null ? undefined : target.emulator;
}

interface ServeOptions {
  /** All variables of the program. */
  readonly env?: Readonly<Record<string, string>>;
  /** Exit code after SIGTERM. */
  readonly endCode?: number;
  /** What else to do with the server, at `HOST:PORT`. */
  readonly also?: (address: string) => Promise<void>;
}

/**
 * Serves, sends the recording, and ends the server as a service manager does. Throws a sentence when results are missing
 * or the server does not end in order.
 * @param command starts the program
 */
async function serveAndSend(command: readonly string[], folder: string, options: ServeOptions = {}): Promise<void> {
  const { env = {}, endCode = 0, also } = options;
  const name = command.join(" ");
  const server = Bun.spawn([...command, "serve", "--port", "0", "--log-format", "json"], {
    cwd: folder,
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const log = server.stderr.text();
  try {
    const address = await inTime(`${name} serve: to listen`, listening(server.stdout));
    if (address === undefined) throw new Error(`${name} serve: ended before it listened:\n${await log}`);
    const sent = [...command, "send", "-i", RECORDING, "--addr", address, "--format", "json"];
    const out = await run(sent, { cwd: folder, env });
    const finals = out.split("\n").filter((line) => line.startsWith('{"type":"segment"')).length;
    if (finals !== RESULTS) throw new Error(`${name} send: found ${finals} results; expected ${RESULTS}`);
    await also?.(address);
    server.kill("SIGTERM");
    const code = await inTime(`${name} serve: to end`, server.exited);
    const said = await inTime(`${name} serve: to end its log`, log);
    if (code === endCode && said.includes('"event":"stopped"')) return;
    throw new Error(`${name} serve: ended with ${code} after SIGTERM; expected ${endCode}. Its log:\n${said}`);
  } finally {
    server.kill("SIGKILL");
    await server.exited;
  }
}

async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(`${what} took more than ${WAIT_MS / 1000} s`)), WAIT_MS);
  return await Promise.race([promise, timeout.promise]).finally(() => clearTimeout(timer));
}

/** The address that a server prints once it listens, or undefined when its output ends before. */
async function listening(output: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string | undefined> {
  let said = "";
  for await (const part of output.pipeThrough(new TextDecoderStream())) {
    said += part;
    const address = /^listening on http:\/\/(\S+)\n/m.exec(said)?.[1];
    if (address !== undefined) return address;
  }
  return undefined;
}

/**
 * Unpacks an archive and tries its executable, with the files beside it.
 * @param also what else to do with a server of the executable
 */
export async function tryArchive(
  archive: string,
  emulator: readonly string[],
  also?: (address: string) => Promise<void>,
): Promise<void> {
  await inEmptyFolder(async (folder) => {
    await run(["tar", "-xzf", archive, "--strip-components=1"], { cwd: folder });
    const program = [...emulator, join(folder, "bin", "streamer")];
    await run([...program, "serve", "--config", join(folder, "share/doc/streamer/streamer.yaml"), "--print-config"], {
      cwd: folder,
      env: {},
    });
    await serveAndSend(program, folder, also === undefined ? {} : { also });
  });
}

/** Installs npm packages of files, without a registry, and tries the command. */
export async function tryPackages(archives: readonly string[]): Promise<void> {
  await inEmptyFolder(async (folder) => {
    const home = await mkdtemp(join(folder, "home-"));
    // Programs that npm and the command need, and nothing else.
    const bin = join(home, "bin");
    await run(["mkdir", bin]);
    for (const program of ["node", "npm", "npx", "sh"])
      await symlink(Bun.which(program) ?? program, join(bin, program));
    const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: home, npm_config_offline: "true", npm_config_audit: "false" };
    await writeFile(join(folder, "package.json"), "{}");
    await run(["npm", "install", "--silent", "--no-fund", ...archives], { cwd: folder, env });
    await serveAndSend([join(folder, "node_modules", ".bin", "streamer")], folder);
    await serveAndSend(["npx", "--no-install", "streamer"], folder, { env, endCode: NPM_END_CODE });
  });
}
