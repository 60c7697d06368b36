import type { InferenceSession, TensorConstructor } from "onnxruntime-common";

import { installed } from "./weights.ts";

/** What is used of ONNX Runtime. */
export interface Runtime {
  readonly Tensor: TensorConstructor;
  session(network: Uint8Array): Promise<InferenceSession>;
}

// One thread a worker: the server has as many workers as it is to use cores.

/** WebAssembly, which a worker can leave at any time: a call that takes too long harms nobody else. */
async function web(): Promise<Runtime> {
  installed("onnxruntime-web/wasm");
  const { env, InferenceSession, Tensor } = await import("onnxruntime-web/wasm");
  env.wasm.numThreads = 1;
  env.wasm.wasmBinary = await Bun.file(installed("onnxruntime-web/ort-wasm-simd-threaded.wasm")).arrayBuffer();
  return { Tensor, session: (network) => InferenceSession.create(network) };
}

/** A native add-on, twice as fast. It belongs into a process: `model.isolation: process`. */
async function node(): Promise<Runtime> {
  installed(
    "onnxruntime-node",
    `run "npm install --no-save --ignore-scripts onnxruntime-node@1.30.0" in ${import.meta.dir}`,
  );
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
  return { Tensor, session: (network) => InferenceSession.create(network, options) };
}

export const RUNTIMES: Readonly<Record<string, () => Promise<Runtime>>> = { web, node };
