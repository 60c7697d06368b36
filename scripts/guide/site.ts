// Builds the site of the documentation and serves it: `bun run guide:site [--build] [--port PORT]`. It has the pages of
// docs/, with a search, and is written to docs/.vitepress/dist. With --build nothing is served. A link without a target
// ends it with an error. The built pages open from a disk, too, without the search.

import { join } from "node:path";
import { parseArgs } from "node:util";

import { installDocsPackages } from "./support/docs-packages.ts";
import { serveSite } from "./support/site-server.ts";

const root = join(import.meta.dir, "..", "..");
const vitepress = join(root, "docs", "node_modules", "vitepress", "bin", "vitepress.js");

/** Builds the site with VitePress. Returns its exit code. */
async function build(): Promise<number> {
  // Node.js, because that is what VitePress is tested with.
  const child = Bun.spawn(["node", vitepress, "build", "docs"], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  return await child.exited;
}

async function main(args: string[]): Promise<number> {
  let values: { build: boolean; port: string };
  try {
    const options = { build: { type: "boolean", default: false }, port: { type: "string", default: "4173" } } as const;
    ({ values } = parseArgs({ args, options }));
  } catch (error) {
    console.error(`${(error as Error).message}\nusage: bun run guide:site [--build] [--port PORT]`);
    return 2;
  }
  await installDocsPackages();
  const code = await build();
  if (code !== 0 || values.build) return code;
  try {
    const server = serveSite(Number(values.port));
    console.log(`The site is at ${server.url.href}; Ctrl+C ends it.`);
  } catch {
    console.error(`port ${values.port} cannot be used; another one: npm run guide:site -- --port PORT`);
    return 1;
  }
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
