import type { ModelModule, StatefulModel } from "streamer/model";

import { FRAME, Library } from "./library.ts";

const SAMPLE_RATE = 48_000;
/** The library returns each frame two frames later. The first two that it returns are dropped. */
const DELAY = 2 * FRAME;

interface Output {
  /** How likely somebody speaks, 0 to 1: the most of all frames that ended in this block. */
  speech: number;
  audio: Float32Array;
}

/** All of a stream: 32 KiB of the library's memory, and less than 2 KiB of samples. */
interface State {
  memory: Uint8Array;
  /** Samples of the frame that is filling up. */
  pending: Float32Array;
  /** Samples of the library's delay that are still to be dropped. */
  early: number;
}

/** Noise reduction. Frames lie on a grid from the stream's first sample, so that blocks may have any size. */
class Denoiser implements StatefulModel<Output, State> {
  readonly #library = new Library();

  start(): State {
    return { memory: this.#library.fresh, pending: new Float32Array(0), early: DELAY };
  }

  step(audio: Float32Array, state: State): [Output | undefined, State] {
    const samples = new Float32Array(state.pending.length + audio.length);
    samples.set(state.pending);
    samples.set(audio, state.pending.length);
    const whole = samples.length - (samples.length % FRAME);
    const pending = samples.slice(whole);
    if (whole === 0) return [undefined, { ...state, pending }];

    this.#library.restore(state.memory);
    let speech = 0;
    for (let at = 0; at < whole; at += FRAME) {
      speech = Math.max(speech, this.#library.process(samples.subarray(at, at + FRAME)));
    }
    const dropped = Math.min(state.early, whole);
    const next = { memory: this.#library.save(), pending, early: state.early - dropped };
    return [{ speech, audio: samples.slice(dropped, whole) }, next];
  }

  /** What the delay still holds back, so that the stream has as many samples as it was given. */
  finish(state: State): Output | undefined {
    const missing = state.pending.length + DELAY - state.early;
    const silence = new Float32Array(Math.ceil((state.pending.length + DELAY) / FRAME) * FRAME - state.pending.length);
    const [last] = this.step(silence, state);
    return last && missing > 0 ? { ...last, audio: last.audio.slice(0, missing) } : undefined;
  }
}

export default {
  name: "rnnoise",
  sampleRate: SAMPLE_RATE,
  stateful: true,
  idempotent: true,
  options: [],
  settings: {},
  load: () => new Denoiser(),
} satisfies ModelModule;
