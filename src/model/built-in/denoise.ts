import * as v from "valibot";

import { decibels } from "../../lib/decibels.ts";
import { RealFft } from "../../lib/fft.ts";
import type { ModelModule, StatefulModel } from "../model.ts";
import { about, describeSettings, settingProblems } from "../settings.ts";
import { beginNoise, FIRST_FRAMES, gains, type NoiseState, trackNoise } from "./noise.ts";

const SAMPLE_RATE = 16_000;
/** Samples: 32 ms every 16 ms. */
export const FRAME = 512;
export const HOP = FRAME / 2;
const BINS = FRAME / 2 + 1;

/** A frame with less power than this (mean square; -100 dBFS) is digital silence, which tells nothing of the room's noise. */
const LEAST_POWER = 1e-10;

export const denoiseSettings = v.strictObject({
  /** 0 changes nothing. */
  reduction_db: v.optional(
    v.pipe(v.number(), v.minValue(0), v.maxValue(60), about("dB", "by which noise is turned down at most")),
    18,
  ),
  smoothing: v.optional(
    v.pipe(
      v.number(),
      v.minValue(0.9),
      v.maxValue(0.999),
      about("", "weight of the frame before: more is smoother, less follows faster"),
    ),
    0.98,
  ),
});

/**
 * All that one stream's noise reduction remembers: 7 arrays of up to 257 floats, some 6 KiB, which go from worker to worker with
 * every step at the cost of a structured clone of that (10 to 20 us). A plain object, so that a clone is as good as the original.
 */
export interface DenoiseState extends NoiseState {
  /** Frames done; frame k ends at sample (k + 1) HOP of the stream. */
  readonly frames: number;
  /** Frames that the noise was learned from, up to FIRST_FRAMES. */
  readonly learned: number;
  /** Samples that no frame has reached yet, fewer than HOP. */
  readonly pending: Float32Array;
  /** The HOP samples before those: the next frame begins with them. */
  readonly previous: Float32Array;
  /** Second half of the last frame's output, which the next frame's first half is added to. */
  readonly overlap: Float32Array;
}

interface Denoised {
  /** Level of the noise as it is estimated now, dBFS, -120 or more. */
  noise_dbfs: number;
  audio: Float32Array;
}

/**
 * Noise reduction by overlap and add: frames of the sound, each faded in and out by the root of a Hann window, are taken to the
 * frequency domain, each frequency multiplied by its gain, taken back, faded once more and added up. The two fades multiply to a Hann
 * window, and half overlapping Hann windows add up to 1, so that gains of 1 give back the input (J. B. Allen, "Short term spectral
 * analysis, synthesis, and modification by discrete Fourier transform", IEEE Trans. ASSP 25(3), 1977).
 *
 * Frames lie on a grid from the stream's first sample, and everything of a frame that later ones need is in the state: the output is
 * the same, bit for bit, however the stream is cut into steps. A sample can be given out when the two frames that cover it are done,
 * 16 to 32 ms later; `finish` gives what is still held back, so that in all as many samples come out as went in.
 */
export class Denoiser implements StatefulModel<Denoised, DenoiseState> {
  readonly #least: number;
  readonly #smoothing: number;
  readonly #fft = new RealFft(FRAME);
  readonly #window = Float64Array.from({ length: FRAME }, (_, n) => Math.sin((Math.PI * n) / FRAME));
  readonly #samples = new Float64Array(FRAME);
  readonly #re = new Float64Array(BINS);
  readonly #im = new Float64Array(BINS);
  readonly #power = new Float64Array(BINS);
  readonly #gains = new Float64Array(BINS);

  constructor(settings: v.InferOutput<typeof denoiseSettings>) {
    this.#least = 10 ** (-settings.reduction_db / 20);
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

  /** Leaves `state` as it is, so that the step can be repeated. Says nothing while all of the sound is held back. */
  step(audio: Float32Array, state: DenoiseState): [Denoised | undefined, DenoiseState] {
    const samples = new Float32Array(state.pending.length + audio.length);
    samples.set(state.pending);
    samples.set(audio, state.pending.length);
    const hops = Math.floor(samples.length / HOP);
    const next = this.#copy(state, hops, samples.slice(hops * HOP));
    const out = new Float32Array((given(next.frames) - given(state.frames)) * HOP);
    const learned = this.#frames(next, samples, hops, out);
    return [out.length === 0 ? undefined : denoised(next, out), { ...next, learned }];
  }

  /** The samples held back: the sound is taken to end in silence. */
  finish(state: DenoiseState): Denoised {
    const { frames, pending } = state;
    const hops = pending.length === 0 ? 1 : 2;
    const samples = new Float32Array(hops * HOP);
    samples.set(pending);
    const next = this.#copy(state, hops, new Float32Array(0));
    const out = new Float32Array((given(next.frames) - given(frames)) * HOP);
    this.#frames(next, samples, hops, out);
    return denoised(state, out.slice(0, (frames - given(frames)) * HOP + pending.length));
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

  /** Runs `hops` frames, changing the arrays of `state`; writes HOP samples to `out` for each but a stream's first. Returns `learned`. */
  #frames(state: DenoiseState, input: Float32Array, hops: number, out: Float32Array): number {
    const { previous, overlap } = state;
    let { learned } = state;
    let [at, frame] = [0, state.frames - hops];
    for (let hop = 0; hop < hops; hop++, frame++) {
      const from = hop * HOP;
      for (let n = 0; n < HOP; n++) {
        this.#samples[n] = previous[n]! * this.#window[n]!;
        this.#samples[n + HOP] = input[from + n]! * this.#window[n + HOP]!;
        previous[n] = input[from + n]!;
      }
      learned = this.#filter(state, learned);
      for (let n = 0; n < HOP; n++) {
        if (frame > 0) out[at++] = overlap[n]! + this.#samples[n]! * this.#window[n]!;
        overlap[n] = this.#samples[n + HOP]! * this.#window[n + HOP]!;
      }
    }
    return learned;
  }

  /** Turns the noise down in the frame in #samples. */
  #filter(state: DenoiseState, learned: number): number {
    const [re, im, power] = [this.#re, this.#im, this.#power];
    this.#fft.forward(this.#samples, re, im);
    let sum = 0;
    for (let k = 0; k < BINS; k++) {
      power[k] = re[k]! * re[k]! + im[k]! * im[k]!;
      sum += power[k]!;
    }
    const heard = meanSquare(sum) >= LEAST_POWER;
    if (heard && learned < FIRST_FRAMES) beginNoise(state, power, learned);
    else if (heard) trackNoise(state, power);
    gains(state, power, this.#smoothing, this.#least, this.#gains);
    for (let k = 0; k < BINS; k++) {
      re[k] = re[k]! * this.#gains[k]!;
      im[k] = im[k]! * this.#gains[k]!;
    }
    this.#fft.inverse(re, im, this.#samples);
    return heard ? Math.min(FIRST_FRAMES, learned + 1) : learned;
  }
}

/** Hops given out when this many frames are done. */
function given(frames: number): number {
  return Math.max(0, frames - 1);
}

/**
 * Mean square of sound whose windowed frames have this sum of powers from 0 to half the rate: by Parseval's theorem, with all but the
 * two outermost frequencies standing for two, and the squares of the window adding up to FRAME / 2.
 */
function meanSquare(sum: number): number {
  return (2 * sum) / FRAME / (FRAME / 2);
}

function denoised(state: DenoiseState, audio: Float32Array): Denoised {
  const sum = state.noise.reduce((total, power) => total + power, 0);
  return { noise_dbfs: decibels(Math.sqrt(meanSquare(sum))), audio };
}

export const denoise: ModelModule = {
  name: "denoise",
  sampleRate: SAMPLE_RATE,
  idempotent: true,
  stateful: true,
  settings: describeSettings(denoiseSettings),
  validate: (settings) => settingProblems(denoiseSettings, settings),
  load: (settings) => new Denoiser(v.parse(denoiseSettings, settings)),
};
