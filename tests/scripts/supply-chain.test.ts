import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import Ajv from "ajv";
import addFormats from "ajv-formats";

import manifest from "../../package.json" with { type: "json" };
import advisories from "../../scripts/advisories.json" with { type: "json" };
import { affectedPackages, type Checklist, uncheckedPackages } from "../../scripts/audit.ts";
import { type LockFile, productionPackages, readLockFile } from "../../scripts/lock-file.ts";
import { billOfMaterials } from "../../scripts/sbom.ts";

const root = join(import.meta.dir, "..", "..");
const lock = await readLockFile();
const schemas = join(root, "node_modules", "@cyclonedx", "cyclonedx-library", "res", "schema");

interface Component {
  readonly name: string;
  readonly version: string;
  readonly "bom-ref": string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

interface Bom {
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

async function schema(name: string): Promise<object> {
  return (await Bun.file(join(schemas, `${name}.SNAPSHOT.schema.json`)).json()) as object;
}

describe("the lock file", () => {
  test("has an exact version and a hash of SHA-512 for every package", () => {
    expect(lock.packages.size).toBeGreaterThan(100);
    for (const { key, version, integrity } of lock.packages.values()) {
      expect([key, version]).toEqual([key, expect.stringMatching(/^\d+\.\d+\.\d+(-[\w.]+)?$/)]);
      const [algorithm, base64 = ""] = integrity.split("-", 2);
      expect([key, algorithm, Buffer.from(base64, "base64").length]).toEqual([key, "sha512", 64]);
    }
  });

  test("has the versions of package.json", () => {
    const named = { ...manifest.dependencies, ...manifest.devDependencies };
    for (const [name, version] of Object.entries(named)) {
      expect([name, lock.packages.get(name)?.version]).toEqual([name, version]);
    }
  });

  test("an entry that comes from elsewhere than the registry is refused", async () => {
    const path = join(root, "native", "build", `lock-${process.pid}.jsonc`);
    const packages = { other: ["other@github:some/where#abc", { dependencies: {} }] };
    await Bun.write(path, JSON.stringify({ workspaces: { "": { dependencies: {}, devDependencies: {} } }, packages }));
    try {
      expect(readLockFile(path)).rejects.toThrow();
    } finally {
      await Bun.file(path).delete();
    }
  });
});

describe("scripts that run when packages are installed", () => {
  test("are those of bun alone", () => {
    expect(manifest.trustedDependencies).toEqual(["bun"]);
    expect(lock.trusted).toEqual(["bun"]);
  });

  test("are not run by the image", async () => {
    const dockerfile = await Bun.file(join(root, "Dockerfile")).text();
    const installs = dockerfile.split("\n").filter((line) => line.includes("bun install"));
    expect(installs.length).toBeGreaterThan(0);
    for (const line of installs) expect(line).toMatch(/--frozen-lockfile.*--ignore-scripts/);
  });
});

describe("the stored advisories", () => {
  const locked = (name: string, version: string): LockFile => ({
    ...lock,
    packages: new Map([[name, { key: name, name, version, dependencies: [], integrity: "" }]]),
  });

  test("affect no package of the lock file", () => {
    expect(affectedPackages(lock)).toEqual([]);
  });

  test("would affect an old version", () => {
    expect(affectedPackages(locked("hono", "4.12.0")).length).toBeGreaterThan(3);
    expect(affectedPackages(locked("valibot", "1.1.0"))[0]).toStartWith("valibot 1.1.0: GHSA-vqpr-j7v3-hqw9");
  });

  test("have every package that the executable contains, with the day and the place of the look-up, and no other", () => {
    const list: Checklist = advisories.packages;
    expect(uncheckedPackages(lock)).toEqual([]);
    const names = productionPackages(lock).map(({ name }) => name);
    for (const name of Object.keys(manifest.dependencies)) expect(names).toContain(name);
    expect(Object.keys(list).filter((name) => !names.includes(name))).toEqual([]);
    for (const [name, { checked, source, advisories: all }] of Object.entries(list)) {
      expect([name, checked, source]).toEqual([
        name,
        expect.stringMatching(/^20\d\d-\d\d-\d\d$/),
        expect.stringMatching(/./),
      ]);
      expect([name, Number.isNaN(Date.parse(checked))]).toEqual([name, false]);
      for (const { id, affected } of all) {
        expect([name, id]).toEqual([name, expect.stringMatching(/^(GHSA(-\w{4}){3}|CVE-\d{4}-\d{4,})$/)]);
        // A range that no version satisfies would hide its advisory.
        expect([id, Bun.semver.satisfies("0.0.1", affected.split(" ").at(-1) ?? "")]).toEqual([id, true]);
      }
    }
  });

  test("are missed when a package has no entry", () => {
    const others = Object.entries(advisories.packages).filter(([name]) => name !== "hono");
    expect(uncheckedPackages(lock, Object.fromEntries(others))).toEqual(["hono"]);
  });
});

describe("the bill of materials", () => {
  test("is valid CycloneDX 1.6", async () => {
    // Formats of addresses that the library does not know are not checked.
    const ajv = new Ajv({ strict: false, formats: { "iri-reference": true, "idn-email": true } });
    addFormats(ajv);
    ajv.addSchema(await schema("spdx"), "http://cyclonedx.org/schema/spdx.SNAPSHOT.schema.json");
    ajv.addSchema(await schema("jsf-0.82"), "http://cyclonedx.org/schema/jsf-0.82.SNAPSHOT.schema.json");
    const validate = ajv.compile(await schema("bom-1.6"));
    const bom: unknown = JSON.parse(await billOfMaterials());
    validate(bom);
    expect(validate.errors).toBeNull();
    expect(validate({ ...(bom as object), components: [{ type: "thing" }] })).toBeFalse();
  });

  test("has what is compiled into the executable: Bun, the C library, and packages with the hashes of the lock file", async () => {
    const { components, dependencies } = JSON.parse(await billOfMaterials()) as Bom;
    const named = new Map(components.map((one) => [one.name, one]));
    expect(named.get("bun")?.version).toBe(Bun.version);
    expect(named.get("libstreamer_audio")?.hashes?.[0]).toMatchObject({ alg: "SHA-256" });
    for (const { name, version, integrity } of productionPackages(lock)) {
      // There may be several versions of a package.
      const [hash] = components.find((one) => one.name === name && one.version === version)?.hashes ?? [];
      const base64 = Buffer.from(hash?.content ?? "", "hex").toString("base64");
      expect([name, version, `sha512-${base64}`]).toEqual([name, version, integrity]);
    }
    // Another version of such a package may be one that the executable needs.
    for (const [name, version] of Object.entries(manifest.devDependencies)) {
      const inside = components.some((one) => one.name === name && one.version === version);
      if (name !== "bun") expect([name, inside]).toEqual([name, false]);
    }
    const refs = components.map((one) => one["bom-ref"]);
    expect(dependencies.flatMap(({ dependsOn = [] }) => dependsOn).filter((ref) => !refs.includes(ref))).toEqual([]);
  });

  test("is the same each time", async () => {
    expect(await billOfMaterials()).toBe(await billOfMaterials());
  });
});
