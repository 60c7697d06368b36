// Bundles src/console/ for browsers to native/build/console/, from where the server imports it as texts.

import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const source = join(root, "src", "console");
const built = join(root, "native", "build", "console");

/** What the bundler makes, and from what. The ending makes the server import a text, whatever is in it. */
const BUNDLES = {
  "script.txt": "console.ts",
  "recorder.txt": "../client/browser/recorder.ts",
  "style.txt": "style.css",
};
/** What is taken as it is. */
const COPIES = {
  "page.txt": "index.html",
  "icon.txt": "icon.svg",
  "sample.wav": "sample.wav",
};

/** Brings the console's files up to date. Several processes may run this at once. Throws the errors of the bundler. */
export async function buildConsole(): Promise<void> {
  await mkdir(built, { recursive: true });
  const bundles = Object.entries(BUNDLES).map(async ([name, path]) => write(name, await bundle(join(source, path))));
  const copies = Object.entries(COPIES).map(async ([name, path]) =>
    write(name, await Bun.file(join(source, path)).bytes()),
  );
  await Promise.all([...bundles, ...copies]);
}

async function bundle(entry: string): Promise<Uint8Array> {
  const { outputs } = await Bun.build({ entrypoints: [entry], target: "browser", minify: true });
  const [output] = outputs;
  if (output === undefined) throw new Error(`the bundler made nothing of ${entry}`);
  return new Uint8Array(await output.arrayBuffer());
}

async function write(name: string, bytes: Uint8Array): Promise<void> {
  const file = Bun.file(join(built, name));
  if ((await file.exists()) && Buffer.compare(await file.bytes(), bytes) === 0) return;
  const temporary = join(built, `${name}.${process.pid}`);
  await Bun.write(temporary, bytes);
  await rename(temporary, join(built, name));
}

if (import.meta.main) await buildConsole();
