import { join } from "node:path";

import { ExamplePackages } from "../../example-packages.ts";

/** The folder whose package.json has what figures and the site need. */
export const DOCS = join(import.meta.dir, "..", "..", "..", "docs");

/** Installs the packages of docs/package.json unless they are there. */
export async function installDocsPackages(): Promise<void> {
  const problem = await new ExamplePackages(DOCS).install("kept", new AbortController().signal, () => {
    process.stderr.write("guide: installing the packages of docs/package.json\n");
  });
  if (problem !== undefined) throw new Error(`the packages of docs/package.json cannot be installed: ${problem}`);
}
