// Records what users of the program build on (wire, configuration, metrics, routes, commands) in
// tests/data/surface.json, which tests/surface.test.ts compares with the current sources. Run it when a change of these
// is meant, and commit the difference:
//
//   bun scripts/record-surface.ts [EXECUTABLE]
//
// EXECUTABLE is any build; without it the sources are run.

import { join, resolve } from "node:path";

import { FROM_SOURCE } from "../tests/support/surface/program.ts";
import { surfaceOf } from "../tests/support/surface/surface.ts";

const path = join(import.meta.dir, "..", "tests", "data", "surface.json");
const [executable] = process.argv.slice(2);

const surface = await surfaceOf(executable === undefined ? FROM_SOURCE : [resolve(executable)]);
await Bun.write(path, `${JSON.stringify(surface, undefined, 2)}\n`);
console.log(`${Object.keys(surface).length} items are recorded in ${path}`);
