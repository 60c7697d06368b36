// Runs before `bun test`, so that the tests use the current sources of the native library and of the console.

import { buildConsole } from "./console.ts";
import { buildNative } from "./native.ts";

await Promise.all([buildNative(), buildConsole()]);
