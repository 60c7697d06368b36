import * as v from "valibot";

import { decibels } from "../../lib/decibels.ts";
import { RealFft } from "../../lib/fft.ts";
import { numberWithin } from "../../protocol/field.ts";
import type { ModelModule, StatefulModel } from "../model.ts";
import { beginNoise, computeGains, FIRST_FRAMES, type NoiseState, trackNoise } from "./noise.ts";
import { about, describeSettings, findProblems } from "./setting-schema.ts";

const SAMPLE_RATE = 16_000;
/** Samples of a frame: 32 ms. */
export const FRAME = 512;
/** Samples from one frame to the next: 16 ms. */
export const HOP = FRAME / 2;
const BINS = FRAME / 2 + 1;

/** Mean square, -100 dBFS. A frame with less is digital silence, from which no noise is learned. */
const MIN_POWER = 1e-10;

export const denoiseSettings = v.strictObject({
  /** 0 changes nothing. */
  reduction_db: v.optional(v.pipe(numberWithin(0, 60), about("dB", "most by which noise is turned down")), 18),
  smoothing: v.optional(
    v.pipe(numberWithin(0.9, 0.999), about("", "weight of the frame before: more is smoother, less follows faster")),
    0.98,
  ),
});

/**
 * The noise reduction's state of one stream: 6 arrays of up to 257 floats, about 6 KiB. Passing it between workers
 * costs a structured clone with every step (10 to 20 us). It is a plain object, which a structured clone copies
 * completely.
 */
export interface DenoiseState extends NoiseState {
  /** Completed frames. Frame k ends at sample (k + 1) HOP of the stream. */
  readonly frames: number;
  /** Frames from which the noise was learned, up to FIRST_FRAMES. */
  readonly learned: number;
  /** Samples after the last frame, fewer than HOP. */
  readonly pending: Float32Array;
  /** The HOP samples before `pending`: the first half of the next frame. */
  readonly previous: Float32Array;
  /** The second half of the last frame's output, to which the first half of the next one is added. */
  readonly overlap: Float32Array;
}

interface Denoised {
  /** Estimated level of the noise, dBFS, from -120. */
  noise_dbfs: number;
  audio: Float32Array;
}

/**
 * Noise reduction with overlap-add. Each frame is multiplied by the root of a Hann window and transformed; each
 * frequency is multiplied by its gain; the result is transformed back, multiplied by the window again and added up. The
 * two windows multiply to a Hann window, and half overlapping Hann windows add up to 1, so gains of 1 return the input
 * (J. B. Allen, "Short term spectral analysis, synthesis, and modification by discrete Fourier transform", IEEE Trans.
 * ASSP 25(3), 1977).
 *
 * Frames lie on a grid from the first sample of the stream, and the state has everything that later frames need. The
 * output is therefore the same, bit for bit, however the stream is cut into steps. A sample is complete when both
 * frames that cover it are, 16 to 32 ms later. `finish` returns the rest: the output has as many samples as the input.
 */
export class Denoiser implements StatefulModel<Denoised, DenoiseState> {
  readonly #minGain: number;
  readonly #smoothing: number;
  readonly #fft = new RealFft(FRAME);
  readonly #window = Float64Array.from({ length: FRAME }, (_, n) => Math.sin((Math.PI * n) / FRAME));
  readonly #samples = new Float64Array(FRAME);
  readonly #re = new Float64Array(BINS);
  readonly #im = new Float64Array(BINS);
  readonly #power = new Float64Array(BINS);
  readonly #gains = new Float64Array(BINS);

  constructor(settings: v.InferOutput<typeof denoiseSettings>) {
    this.#minGain = 10 ** (-settings.reduction_db / 20);
    this.#smoothing = settings.smoothing;
  }

  start(): DenoiseState {
    return {
      frames: 0,
      learned: 0,
      pending: new Float32Array(0),
      previous: new Float32Array(HOP),
      overlap: new Float32Array(HOP),
      noise: new Float32Array(BINS),
      presence: new Float32Array(BINS),
      voice: new Float32Array(BINS),
    };
  }

  /** Does not change `state`, so that the step can be repeated. Returns no output while no sample is complete. */
  step(audio: Float32Array, state: DenoiseState): [Denoised | undefined, DenoiseState] {
    const samples = new Float32Array(state.pending.length + audio.length);
    samples.set(state.pending);
    samples.set(audio, state.pending.length);
    const hops = Math.floor(samples.length / HOP);
    const next = this.#copy(state, hops, samples.slice(hops * HOP));
    const out = new Float32Array((completeHops(next.frames) - completeHops(state.frames)) * HOP);
    const learned = this.#processFrames(next, samples, hops, out);
    return [out.length === 0 ? undefined : toOutput(next, out), { ...next, learned }];
  }

  /** Returns the samples that are not complete: silence follows the stream. */
  finish(state: DenoiseState): Denoised {
    const { frames, pending } = state;
    const hops = pending.length === 0 ? 1 : 2;
    const samples = new Float32Array(hops * HOP);
    samples.set(pending);
    const next = this.#copy(state, hops, new Float32Array(0));
    const out = new Float32Array((completeHops(next.frames) - completeHops(frames)) * HOP);
    this.#processFrames(next, samples, hops, out);
    return toOutput(state, out.slice(0, (frames - completeHops(frames)) * HOP + pending.length));
  }

  #copy(state: DenoiseState, hops: number, pending: Float32Array): DenoiseState {
    if (hops === 0) return { ...state, pending };
    const { previous, overlap, noise, presence, voice } = state;
    return {
      ...state,
      frames: state.frames + hops,
      pending,
      previous: previous.slice(),
      overlap: overlap.slice(),
      noise: noise.slice(),
      presence: presence.slice(),
      voice: voice.slice(),
    };
  }

  /**
   * Processes `hops` frames and changes the arrays of `state`. Writes HOP samples to `out` for each frame but the first
   * of the stream. Returns `learned`.
   */
  #processFrames(state: DenoiseState, input: Float32Array, hops: number, out: Float32Array): number {
    const { previous, overlap } = state;
    let { learned } = state;
    let [written, frame] = [0, state.frames - hops];
    for (let hop = 0; hop < hops; hop++, frame++) {
      const from = hop * HOP;
      for (let n = 0; n < HOP; n++) {
        this.#samples[n] = previous[n]! * this.#window[n]!;
        this.#samples[n + HOP] = input[from + n]! * this.#window[n + HOP]!;
        previous[n] = input[from + n]!;
      }
      learned = this.#filter(state, learned);
      for (let n = 0; n < HOP; n++) {
        if (frame > 0) out[written++] = overlap[n]! + this.#samples[n]! * this.#window[n]!;
        overlap[n] = this.#samples[n + HOP]! * this.#window[n + HOP]!;
      }
    }
    return learned;
  }

  /** Reduces the noise of the frame in `#samples`. Returns `learned`. */
  #filter(state: DenoiseState, learned: number): number {
    const [re, im, power] = [this.#re, this.#im, this.#power];
    this.#fft.forward(this.#samples, re, im);
    let sum = 0;
    for (let k = 0; k < BINS; k++) {
      power[k] = re[k]! * re[k]! + im[k]! * im[k]!;
      sum += power[k]!;
    }
    const audible = meanSquare(sum) >= MIN_POWER;
    if (audible && learned < FIRST_FRAMES) beginNoise(state, power, learned);
    else if (audible) trackNoise(state, power);
    computeGains(state, power, this.#smoothing, this.#minGain, this.#gains);
    for (let k = 0; k < BINS; k++) {
      re[k] = re[k]! * this.#gains[k]!;
      im[k] = im[k]! * this.#gains[k]!;
    }
    this.#fft.inverse(re, im, this.#samples);
    return audible ? Math.min(FIRST_FRAMES, learned + 1) : learned;
  }
}

/** Returns how many hops of output are complete after this number of frames. */
function completeHops(frames: number): number {
  return Math.max(0, frames - 1);
}

/**
 * Returns the mean square of samples from the sum of the powers of their windowed frame, from 0 to half the sample
 * rate: by Parseval's theorem, where all but the first and the last frequency count twice, and the squares of the
 * window add up to FRAME / 2.
 */
function meanSquare(sum: number): number {
  return (2 * sum) / FRAME / (FRAME / 2);
}

function toOutput(state: DenoiseState, audio: Float32Array): Denoised {
  const sum = state.noise.reduce((total, power) => total + power, 0);
  return { noise_dbfs: decibels(Math.sqrt(meanSquare(sum))), audio };
}

export const denoise: ModelModule = {
  name: "denoise",
  sampleRate: SAMPLE_RATE,
  idempotent: true,
  stateful: true,
  settings: describeSettings(denoiseSettings),
  validate: (settings) => findProblems(denoiseSettings, settings),
  load: (settings) => new Denoiser(v.parse(denoiseSettings, settings)),
};
