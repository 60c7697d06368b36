// Runs before `bun test`, so that the tests use the current C sources.

import { buildNative } from "./native.ts";

await buildNative();
