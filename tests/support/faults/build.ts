import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { compile } from "../../../scripts/build.ts";
import { buildConsole } from "../../../scripts/console.ts";
import { buildNative } from "../../../scripts/native.ts";

/** Compiles `./streamer` with the switch for faults to a new folder, which the caller removes. */
export async function buildFaultProgram(): Promise<{ folder: string; path: string }> {
  await Promise.all([buildNative(), buildConsole()]);
  const folder = await mkdtemp(join(tmpdir(), "streamer-with-faults-"));
  const path = join(folder, "streamer");
  await compile(import.meta.dir, path);
  return { folder, path };
}
