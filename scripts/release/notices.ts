// The licences of everything that the executable contains.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import manifest from "../../package.json" with { type: "json" };
import { type LockedPackage, packageFolder, productionPackages, readLockFile } from "../lock-file.ts";
import { root } from "./command.ts";

const RULE = "=".repeat(100);
const LICENCE_FILE = /^(?:licen[cs]e|copying|notice)(?:[.-].*)?$/i;

/**
 * Returns the text of the file THIRD-PARTY-NOTICES. Throws when a package has no licence.
 * @param compilerLicence of the compiler, which puts functions of its own into the C library
 */
export async function thirdPartyNotices(compilerLicence: string): Promise<string> {
  const bun = await readFile(join(root, "node_modules", "bun-types", "docs", "project", "license.mdx"), "utf8");
  const packages = productionPackages(await readLockFile());
  const parts = [
    "Streamer is licensed under the Apache License 2.0 (LICENSE). Its executable contains what is listed here, under the\n" +
      "licences that follow. The executable is Bun, unchanged, with the program appended.",
    section(`Bun ${manifest.devDependencies.bun}`, bun.replace(/^---[\s\S]*?---\n/, "")),
    section("compiler-rt of Zig, parts in the C library", compilerLicence),
    section("Recording of the console (sample.wav)", await readFile(join(root, "src/console/sample.LICENSE"), "utf8")),
    ...(await Promise.all(packages.map(packageNotice))),
  ];
  return `${parts.join("\n\n")}\n`;
}

async function packageNotice(one: LockedPackage): Promise<string> {
  const folder = packageFolder(one);
  const { license } = (await Bun.file(join(folder, "package.json")).json()) as { license?: string };
  const names = (await readdir(folder)).filter((name) => LICENCE_FILE.test(name)).sort();
  if (names.length === 0) throw new Error(`${one.name} ${one.version} has no file with its licence`);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  return section(`${one.name} ${one.version} (${license ?? "see below"})`, texts.join("\n\n"));
}

function section(title: string, text: string): string {
  return `${RULE}\n${title}\n${RULE}\n\n${text.replaceAll("\r\n", "\n").trim()}`;
}
