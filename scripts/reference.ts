// Writes the descriptions of the server's interfaces into docs/: the AsyncAPI document of the WebSockets, the OpenAPI
// document of the HTTP routes, and the page that shows both. The server has them, too.

import { join } from "node:path";

import project from "../package.json" with { type: "json" };
import { apiDocuments } from "../src/server/reference/documents.ts";

const root = join(import.meta.dir, "..");

/** Returns the files by their paths in the repository. */
export function referenceFiles(): Readonly<Record<string, string>> {
  const { asyncapi, openapi, page } = apiDocuments(project.version);
  return {
    "docs/asyncapi.json": `${JSON.stringify(asyncapi(), null, 2)}\n`,
    "docs/openapi.json": `${JSON.stringify(openapi(), null, 2)}\n`,
    "docs/reference.html": page(),
  };
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(referenceFiles())) {
    await Bun.write(join(root, path), text);
    console.log(`wrote ${path}`);
  }
}
