// Makes the npm package `streamer-client` of src/client/ and clients/javascript/:
//
//   bun scripts/client-package.ts [FOLDER]
//
// prints the path of the tarball in FOLDER, by default the current one.

import { cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";

import project from "../package.json" with { type: "json" };

const root = join(import.meta.dir, "..");
const source = join(root, "src");
const template = join(root, "clients", "javascript");

/** Modules that programs import, and where they are. */
const ENTRIES = {
  index: "client/index.ts",
  node: "client/node.ts",
  wav: "client/wav.ts",
  microphone: "client/browser/microphone.ts",
} as const;
/** Entries whose types are published. On Node.js they are those of the other run times. */
const TYPED = [ENTRIES.index, ENTRIES.wav, ENTRIES.microphone];

/** Makes the package in a folder, which must be empty. */
export async function buildClientPackage(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const manifest = { ...(await Bun.file(join(template, "package.json")).json()), version: project.version } as object;
  await Promise.all([
    Bun.write(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`),
    ...["README.md", "LICENSE"].map((name) => cp(join(template, name), join(folder, name))),
    cp(join(root, "node_modules", "valibot", "LICENSE.md"), join(folder, "LICENSE-valibot.md")),
    bundleModules(join(folder, "dist")),
    emitTypes(join(folder, "dist", "types")),
  ]);
}

/** Packs the package, as `npm publish` would. Returns the path of the tarball. */
export async function packClient(into: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "streamer-client-"));
  try {
    await buildClientPackage(folder);
    const output = await run(["npm", "pack", "--json", "--ignore-scripts"], folder);
    const [{ filename }] = JSON.parse(output) as [{ filename: string }];
    await mkdir(into, { recursive: true });
    const tarball = resolve(into, filename);
    // In one step: others may be reading an older one.
    await cp(join(folder, filename), `${tarball}.${process.pid}`);
    await rename(`${tarball}.${process.pid}`, tarball);
    return tarball;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function bundleModules(folder: string): Promise<void> {
  const recorders = await bundle([join(source, "client/browser/recorder.ts")]);
  const [recorder] = recorders;
  if (recorder === undefined) throw new Error("the bundler made nothing of the recorder");
  const script = await recorder.text();
  await Bun.write(join(folder, "worklet.js"), script);
  const embedding: Bun.BunPlugin = {
    name: "worklet",
    setup(build) {
      build.onLoad({ filter: /browser\/worklet-source\.ts$/ }, () => ({
        contents: `export const WORKLET_SOURCE = ${JSON.stringify(script)};`,
        loader: "js",
      }));
    },
  };
  const texts: Bun.BunPlugin = {
    name: "texts",
    setup(build) {
      // The meanings of codes are for the reference alone.
      build.onLoad({ filter: /protocol\/(?:errors|warnings)\.ts$/ }, async ({ path }) => ({
        contents: (await Bun.file(path).text()).replaceAll(/^(  (?:  meaning|\w+): )".*",$/gm, '$1"",'),
        loader: "ts",
      }));
    },
  };
  const { index, node, wav, microphone } = ENTRIES;
  await write([index, node], withoutIndents);
  await write([wav], withoutIndents);
  await write([microphone], (code) => code);

  /** Bundles entries that share code, so that there is one of each class. */
  async function write(group: readonly string[], finish: (code: string) => string): Promise<void> {
    const entries = group.map((path) => join(source, path));
    for (const output of await bundle(entries, [embedding, texts])) {
      await Bun.write(join(folder, basename(output.path)), finish(await output.text()));
    }
  }
}

/** A twentieth of what is loaded. Lines of a template that has several would change: such a module is refused. */
function withoutIndents(code: string): string {
  const odd = code.split("\n").find((line) => line.split("`").length % 2 === 0);
  if (odd !== undefined) throw new Error(`a template of several lines: ${odd}`);
  return code.replaceAll(/^ +/gm, "");
}

async function bundle(entrypoints: string[], plugins: Bun.BunPlugin[] = []): Promise<Bun.BuildArtifact[]> {
  const { outputs } = await Bun.build({
    entrypoints,
    plugins,
    target: "browser",
    splitting: true,
    // Line by line: an error shows its line, not the whole file.
    minify: { syntax: true, identifiers: true },
    external: ["ws"],
    naming: { entry: "[name].[ext]", chunk: "shared-[hash].[ext]" },
  });
  return outputs;
}

/** Writes the declarations of the entries, and of what these need. */
async function emitTypes(folder: string): Promise<void> {
  const all = await mkdtemp(join(tmpdir(), "streamer-types-"));
  try {
    const config = {
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        stripInternal: true,
        allowJs: false,
        checkJs: false,
        // What the types may mention: neither Bun nor Node.js.
        lib: ["ESNext", "DOM", "DOM.Iterable"],
        types: [],
        rootDir: source,
        outDir: join(all, "types"),
      },
      files: TYPED.map((path) => join(source, path)),
      include: [],
      exclude: [],
    };
    await Bun.write(join(all, "tsconfig.json"), JSON.stringify(config));
    // A script without exports, which pages load by its address.
    await Bun.write(join(folder, "worklet.d.ts"), "export {};\n");
    await run([join(root, "node_modules", ".bin", "tsc"), "-p", join(all, "tsconfig.json")], root);
    const waiting = TYPED.map((path) => join(all, "types", path.replace(/\.ts$/, ".d.ts")));
    const seen = new Set(waiting);
    for (const path of waiting) {
      const text = await Bun.file(path).text();
      for (const [, specifier = ""] of text.matchAll(/ from "(\.[^"]+)\.ts"/g)) {
        const needed = join(dirname(path), `${specifier}.d.ts`);
        if (!seen.has(needed)) waiting.push(needed);
        seen.add(needed);
      }
      // `Symbol.dispose` of the library, for projects whose target is older.
      const head = text.includes("Symbol.dispose") ? '/// <reference lib="esnext.disposable" />\n' : "";
      const declarations = text.replaceAll(/( from "\.[^"]+)\.ts"/g, '$1.js"');
      await Bun.write(join(folder, relative(join(all, "types"), path)), head + declarations);
    }
  } finally {
    await rm(all, { recursive: true });
  }
}

async function run(command: readonly string[], cwd: string): Promise<string> {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${out}${err}`);
  return out;
}

if (import.meta.main) {
  const [into = "."] = process.argv.slice(2);
  console.log(relative(".", await packClient(into)));
}
