// Runs one benchmark: `bun run bench NAME [argument ...]` runs scripts/bench/NAME.ts. Without a name it lists them.

import { readdir } from "node:fs/promises";
import { join } from "node:path";

const folder = join(import.meta.dir, "bench");

/** Each benchmark with the first sentence of its header. */
async function benchmarks(): Promise<Map<string, string>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".ts")).sort();
  return new Map(
    await Promise.all(
      names.map(async (name): Promise<[string, string]> => {
        const [, header = ""] = /^\/\/ (.*(?:\n\/\/ .*)*)/.exec(await Bun.file(join(folder, name)).text()) ?? [];
        const sentence = /^.*?[.:](?= |$)/.exec(header.replaceAll("\n// ", " "))?.[0] ?? header;
        return [name.replace(/\.ts$/, ""), sentence.replace(/[.:]$/, "")];
      }),
    ),
  );
}

function list(known: ReadonlyMap<string, string>): string {
  const width = Math.max(...[...known.keys()].map((name) => name.length));
  const lines = [...known].map(([name, sentence]) => `  ${name.padEnd(width)}  ${sentence}`);
  return `usage: bun run bench NAME [argument ...]\n\n${lines.join("\n")}`;
}

const [name, ...args] = process.argv.slice(2);
const known = await benchmarks();
if (name === undefined || !known.has(name)) {
  console.error(name === undefined ? list(known) : `unknown benchmark ${name}\n\n${list(known)}`);
  process.exitCode = 2;
} else {
  const child = Bun.spawn([process.execPath, join(folder, `${name}.ts`), ...args], {
    stdio: ["inherit", "inherit", "inherit"],
  });
  process.exitCode = await child.exited;
}
