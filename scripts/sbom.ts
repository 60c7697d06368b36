// Prints a software bill of materials (CycloneDX 1.6, JSON) of the executable: `bun run sbom > streamer.cdx.json`.
//
// It has what is compiled into ./streamer: the packages of bun.lock that the program needs at run time, Bun, and the C
// library. The text is the same for the same sources: it has no time and no serial number.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";

import manifest from "../package.json" with { type: "json" };
import { type LockedPackage, packageFolder, productionPackages, readLockFile } from "./lock-file.ts";
import { buildNative, nativeLibrary } from "./native.ts";

/**
 * Returns the bill of materials as text.
 * @param builtLibrary path of the C library inside; without it that of this machine, built if it is out of date
 */
export async function billOfMaterials(builtLibrary?: string): Promise<string> {
  if (builtLibrary === undefined) await buildNative();
  const lock = await readLockFile();
  const packages = productionPackages(lock);
  const components = new Map<string, Models.Component>();
  for (const one of packages) components.set(one.key, await packageComponent(one));

  const program = component(Enums.ComponentType.Application, manifest.name, manifest.version, manifest.license);
  program.purl = `pkg:generic/${manifest.name}@${manifest.version}`;
  const bun = component(Enums.ComponentType.Platform, "bun", manifest.devDependencies.bun, "MIT");
  bun.purl = `pkg:generic/bun@${manifest.devDependencies.bun}`;
  bun.description = "JavaScript runtime; the executable is a copy of it with the program inside";
  const library = component(Enums.ComponentType.Library, "libstreamer_audio", manifest.version, manifest.license);
  library.description = "C library of this repository (native/), linked with the C library of the system at run time";
  library.hashes.set(Enums.HashAlgorithm["SHA-256"], sha256(await readFile(builtLibrary ?? nativeLibrary)));

  const bom = new Models.Bom();
  bom.metadata.component = program;
  for (const one of [bun, library, ...components.values()]) bom.components.add(one);
  const direct = lock.production.map((name) => components.get(name)).filter((one) => one !== undefined);
  for (const one of [bun, library, ...direct]) program.dependencies.add(one.bomRef);
  for (const one of packages) {
    for (const needed of one.dependencies) {
      const other = components.get(`${one.key}/${needed}`) ?? components.get(needed);
      if (other !== undefined) components.get(one.key)?.dependencies.add(other.bomRef);
    }
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function component(type: Enums.ComponentType, name: string, version: string, license: string): Models.Component {
  const made = new Models.Component(type, name, { version, bomRef: `${name}@${version}` });
  const isExpression = /\b(?:AND|OR|WITH)\b/.test(license);
  made.licenses.add(isExpression ? new Models.LicenseExpression(license) : new Models.SpdxLicense(license));
  return made;
}

async function packageComponent(one: LockedPackage): Promise<Models.Component> {
  const { name, version, integrity } = one;
  const installed: { license?: string } = await Bun.file(join(packageFolder(one), "package.json")).json();
  const made = component(Enums.ComponentType.Library, name, version, installed.license ?? "LicenseRef-unknown");
  const [, scope, rest = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  made.purl = `pkg:npm/${scope === undefined ? "" : `${encodeURIComponent(scope)}/`}${rest}@${version}`;
  made.hashes.set(Enums.HashAlgorithm["SHA-512"], hexOf(integrity));
  return made;
}

/** Returns the hash of an `integrity` in hexadecimal. */
function hexOf(integrity: string): string {
  const [algorithm, base64 = ""] = integrity.split("-", 2);
  if (algorithm !== "sha512") throw new Error(`bun.lock: found a hash ${algorithm}; allowed: sha512`);
  return Buffer.from(base64, "base64").toString("hex");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

if (import.meta.main) process.stdout.write(await billOfMaterials());
