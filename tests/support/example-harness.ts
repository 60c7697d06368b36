import { test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The path of a file under `examples/`. */
export function example(...path: string[]): string {
  return join(import.meta.dir, "..", "..", "examples", ...path);
}

/** `test`, or, when something that is not part of this repository is missing, a skipped one; it is said aloud what and how to get it. */
export function testWith(missing: string | undefined): typeof test {
  if (missing === undefined) return test;
  console.warn(`\nSKIPPED, not tested: ${missing}\n`);
  return test.skip as typeof test;
}

/** A sentence when any of these files is missing. */
export function missingFiles(paths: readonly string[], remedy: string): string | undefined {
  const absent = paths.filter((path) => !existsSync(path));
  return absent.length === 0 ? undefined : `${absent.join(", ")} not found; ${remedy}`;
}

/** 16-bit samples behind `skip` bytes. */
export async function samplesOf(path: string, skip = 0): Promise<Float32Array> {
  const bytes = Buffer.from(await Bun.file(path).arrayBuffer());
  return Float32Array.from({ length: (bytes.length - skip) >> 1 }, (_, i) => bytes.readInt16LE(skip + 2 * i) / 32_768);
}
