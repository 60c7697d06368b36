// Installs and builds the project on a machine with Node 20, npm and a C compiler, then runs a script under the pinned
// Bun:
//
//   node scripts/setup.mjs [scripts/some.ts [argument ...]]
//
// Everything is written inside the project: packages, Bun among them, to node_modules, the native library to
// native/build, the executable to the root. Parts that are up to date are kept, so the second run downloads nothing.
// This file is JavaScript because it runs before anything that reads TypeScript is installed.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

import { downloadEnvironment } from "./download-environment.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const bun = join(root, "node_modules", ".bin", "bun");
const stamp = join(root, "node_modules", ".installed");

/** A problem that a person can act on; printed without a stack. */
class SetupError extends Error {}

/** @param {string} path @param {number} mode */
function accessible(path, mode) {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} name */
function onPath(name) {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.some((folder) => accessible(join(folder, name), constants.X_OK));
}

/** Fails before anything is downloaded. A library that is already built needs no compiler. */
function requireCompiler() {
  if (accessible(join(root, "native", "build", "libstreamer_audio.so"), constants.R_OK)) return;
  const wanted = process.env["CC"] === undefined ? ["cc", "gcc", "clang"] : [process.env["CC"].split(" ")[0] ?? ""];
  if (wanted.some((name) => accessible(name, constants.X_OK) || onPath(name))) return;
  throw new SetupError(
    `No C compiler was found (looked for ${wanted.join(", ")}): install gcc or clang ` +
      "with its C headers, for instance by `apt-get install gcc libc6-dev`, and run this again.",
  );
}

/** A hash of the lock file, the manifest and the platform: it changes when other packages are needed. */
function wantedPackages() {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\n`);
  for (const file of ["package.json", "bun.lock"]) hash.update(readFileSync(join(root, file)));
  return hash.digest("hex");
}

/** @param {string} version */
function bunWorks(version) {
  const answer = spawnSync(bun, ["--version"], { encoding: "utf8" });
  return answer.status === 0 && answer.stdout.trim() === version;
}

/** @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} env */
function run(command, args, env) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], env });
  if (status === 0) return;
  const ending = error?.message ?? (signal === null ? `exit code ${status}` : `signal ${signal}`);
  throw new SetupError(`\`${[command, ...args].join(" ")}\` failed: ${ending}`);
}

function installPackages() {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const version = /** @type {string} */ (manifest.devDependencies.bun);
  const wanted = wantedPackages();
  const works = bunWorks(version);
  if (works && accessible(stamp, constants.R_OK) && readFileSync(stamp, "utf8") === wanted) return;

  const env = downloadEnvironment();
  console.error(`set-up: installing Bun ${version} and the packages of bun.lock`);
  const install = ["install", "--frozen-lockfile"];
  if (works) run(bun, install, env);
  else {
    // An interrupted installation can leave a broken Bun, which npx would run.
    rmSync(join(root, "node_modules"), { recursive: true, force: true });
    run("npx", ["-y", `bun@${version}`, ...install], env);
  }
  if (!bunWorks(version)) {
    throw new SetupError(
      `node_modules/.bin/bun does not answer with version ${version}: remove node_modules and run this again.`,
    );
  }
  writeFileSync(stamp, wanted);
}

function setUp() {
  const begin = performance.now();
  const [major = 0] = process.versions.node.split(".").map(Number);
  if (major < 20) throw new SetupError(`Node ${process.versions.node} is too old: install Node 20 or newer.`);
  requireCompiler();
  installPackages();
  run(bun, [join("scripts", "build.ts")], process.env);
  console.error(`set-up took ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}

/** Runs one script and exits with its code. @param {string[]} args */
function runScript(args) {
  const child = spawn(bun, args, { cwd: root, stdio: "inherit" });
  child.on("error", (error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
  child.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
  // A terminal sends Ctrl-C to both processes, and the child decides how to end. A SIGTERM reaches only this process.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
}

const args = process.argv.slice(2);
try {
  setUp();
  if (args.length > 0) runScript(args);
} catch (error) {
  console.error(error instanceof SetupError ? `set-up failed: ${error.message}` : error);
  if (args[0] === "scripts/test.ts") console.log("0 passed, 1 failed");
  process.exitCode = 1;
}
