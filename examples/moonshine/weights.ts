import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The English networks of Moonshine tiny, 8-bit, in the package of version 0.1.29. */
const NETWORKS = {
  encoder: {
    file: "model/tiny/quantized/encoder_model.onnx",
    sha256: "c6fc4b7bc5af75c0591fd157a1f3829b533d18e9769a888fd95a62e470dd4f4a",
  },
  decoder: {
    file: "model/tiny/quantized/decoder_model_merged.onnx",
    sha256: "eed87831c3a6103534aae7d47a5d485025c659a1323901513961c39fe8a1a367",
  },
};

const INSTALL = `run "npm install --ignore-scripts" in ${import.meta.dir}`;

/** Path of a package's entry. Throws an error that says how to install it. */
export function installed(name: string, install = INSTALL): string {
  try {
    return fileURLToPath(import.meta.resolve(name));
  } catch {
    throw new Error(`the package ${name} is not installed: ${install}`);
  }
}

/** Reads a network and compares its SHA-256. Throws if it is missing or another one. */
export async function readNetwork(name: keyof typeof NETWORKS): Promise<Uint8Array> {
  const { file, sha256 } = NETWORKS[name];
  const path = join(dirname(installed("@moonshine-ai/moonshine-js")), file);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new Error(`the ${name} of Moonshine cannot be read: ${INSTALL}`, { cause: error });
  }
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found === sha256) return bytes;
  throw new Error(`${path}: found SHA-256 ${found}; allowed: ${sha256}. Delete node_modules, then ${INSTALL}`);
}
