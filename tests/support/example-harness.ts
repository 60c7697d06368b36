import { join } from "node:path";

/** The path of a file under `examples/`. */
export function example(...path: string[]): string {
  return join(import.meta.dir, "..", "..", "examples", ...path);
}

/** 16-bit samples behind `skip` bytes. */
export async function samplesOf(path: string, skip = 0): Promise<Float32Array> {
  const bytes = Buffer.from(await Bun.file(path).arrayBuffer());
  return Float32Array.from({ length: (bytes.length - skip) >> 1 }, (_, i) => bytes.readInt16LE(skip + 2 * i) / 32_768);
}
