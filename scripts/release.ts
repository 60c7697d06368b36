// Builds everything that a release consists of, and publishes nothing: `bun run release [--version VERSION]`.
//
// dist/VERSION/ gets, for each machine, an archive and a bill of materials; the npm packages; the packages of the
// clients; the release notes; and SHA256SUMS. docs/releasing.md describes the steps.

import { createHash } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { writeArchive } from "./release/archive.ts";
import { checkSource, type Source } from "./release/checks.ts";
import { buildClients, tryClients } from "./release/clients.ts";
import { root } from "./release/command.ts";
import { fillArchive, fillPlatformPackage, fillWrapperPackage, packNpm, sharedTexts } from "./release/contents.ts";
import { thirdPartyNotices } from "./release/notices.ts";
import { emulatorFor, tryArchive, tryPackages } from "./release/smoke.ts";
import { buildTargets, type Built, compilerLicence, isThisMachine, TARGETS } from "./release/targets.ts";
import { billOfMaterials } from "./sbom.ts";

const begin = performance.now();

function say(text: string): void {
  console.log(`${((performance.now() - begin) / 1000).toFixed(1).padStart(6)} s  ${text}`);
}

/** Builds all artefacts from a commit to `output`, which is replaced. */
async function build({ version, time, notes }: Source, output: string): Promise<void> {
  await rm(output, { recursive: true, force: true });
  await mkdir(output, { recursive: true });
  // Always the same path, which the bundler puts into the identifiers of its source maps.
  const work = join(root, "dist", "work");
  await rm(work, { recursive: true, force: true });
  try {
    const all = await buildTargets(work);
    say(`executables for ${TARGETS.map(({ name }) => name).join(" and ")}`);
    const native = all.find(({ target }) => isThisMachine(target));
    if (native === undefined) throw new Error(`No executable runs on ${process.platform}-${process.arch}.`);
    const shared = await sharedTexts(native.executable, await thirdPartyNotices(await compilerLicence()));
    for (const built of all) await packTarget(built);
    const wrapper = join(work, "streamer");
    await fillWrapperPackage(wrapper, TARGETS, shared);
    say(await packNpm(wrapper, output));

    async function packTarget(built: Built): Promise<void> {
      const name = `streamer-${version}-${built.target.name}`;
      const bill = await billOfMaterials(built.library);
      await writeFile(join(output, `${name}.cdx.json`), bill);
      const folder = join(work, name);
      await fillArchive(folder, built, shared, bill);
      await writeArchive(folder, join(output, `${name}.tar.gz`), time);
      say(`${name}.tar.gz`);
      const staged = join(work, `npm-${built.target.name}`);
      await fillPlatformPackage(staged, built, shared);
      say(await packNpm(staged, output));
    }
    for (const name of await buildClients(join(work, "clients"), output)) say(name);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  await writeFile(join(output, "RELEASE-NOTES.md"), `# Streamer ${version}\n\n${notes}`);
  await writeFile(join(output, "SHA256SUMS"), await checksums(output));
}

/** Lines for `sha256sum --check`. */
async function checksums(folder: string): Promise<string> {
  const names = (await readdir(folder)).sort();
  const lines = names.map(async (name) => {
    const bytes = await Bun.file(join(folder, name)).bytes();
    return `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`;
  });
  return (await Promise.all(lines)).join("");
}

/** Uses each artefact. Returns sentences about what could not be tried. */
async function tryAll({ version }: Source, output: string): Promise<string[]> {
  const untried: string[] = [];
  for (const target of TARGETS) {
    const name = `streamer-${version}-${target.name}.tar.gz`;
    const emulator = emulatorFor(target);
    if (emulator === undefined) {
      untried.push(`${name}: ${target.emulator[0]} is not installed (Debian: qemu-user-static)`);
      continue;
    }
    // The clients are for every machine, and tried once.
    const clients = isThisMachine(target);
    await tryArchive(join(output, name), emulator, clients ? async (at) => tryClients(output, at) : undefined);
    say(`tried ${name}${emulator.length === 0 ? "" : `, under ${emulator[0]}`}${clients ? ", and the clients" : ""}`);
  }
  const native = TARGETS.find(isThisMachine);
  const names = [`streamer-${version}.tgz`, `streamer-${native?.name}-${version}.tgz`];
  await tryPackages(names.map((name) => join(output, name)));
  say(`tried ${names.join(" with ")}`);
  return untried;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { version: { type: "string" } } });
  const source = await checkSource(root, values.version);
  const { version, commit, tagged } = source;
  say(`Streamer ${version} from ${commit.slice(0, 12)}${tagged ? `, tag v${version}` : ", which has no tag"}`);
  // Of what the tools of the clients build.
  process.env["SOURCE_DATE_EPOCH"] = String(source.time);
  const output = join(root, "dist", version);
  await build(source, output);
  const untried = await tryAll(source, output);
  for (const sentence of untried) console.log(`NOT TRIED  ${sentence}`);
  say(`dist/${version} is complete: ${(await readdir(output)).length} files. Nothing was published.`);
}

try {
  await main();
} catch (error) {
  console.error(`release: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
