// Runs before `bun test`: whoever changed a C source tests what they changed.
import { buildNative } from "./native.ts";

await buildNative();
