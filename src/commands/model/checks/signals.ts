import { random } from "../../../model/built-in/random.ts";

/** A signal that a model must handle. */
export interface EdgeCase {
  readonly name: string;
  readonly samples: Float32Array;
  /** Why a server would submit it: a clause for a finding. */
  readonly reason: string;
}

const SYLLABLE_SECONDS = 0.2;

/**
 * Generates a signal that is like speech to a model: syllables with falling pitch and formants, and pauses.
 * Deterministic.
 */
export function speechLike(sampleRate: number, seconds: number, seed = 1): Float32Array {
  const samples = new Float32Array(Math.round(sampleRate * seconds));
  const draw = random(seed);
  let phase = 0;
  /** Pitch and formant in Hz. A level of 0 is a pause. */
  let [pitch, formant, level] = [120, 500, 0.3];
  for (let i = 0; i < samples.length; i++) {
    /** Time since the start of the syllable, 0 to 1. */
    const progress = ((i / sampleRate) % SYLLABLE_SECONDS) / SYLLABLE_SECONDS;
    if (i % Math.round(SYLLABLE_SECONDS * sampleRate) === 0) {
      pitch = 90 + 90 * draw();
      formant = 300 + 900 * draw();
      level = draw() < 0.25 ? 0 : 0.1 + 0.3 * draw();
    }
    phase += (pitch * (1 - 0.2 * progress)) / sampleRate;
    let voice = 0;
    for (let harmonic = 1; harmonic <= 12; harmonic++) {
      const distance = (harmonic * pitch - formant) / 400;
      voice += Math.sin(2 * Math.PI * harmonic * phase) / (1 + distance * distance);
    }
    samples[i] = level * Math.sin(Math.PI * progress) * 0.4 * voice + 0.002 * (draw() - 0.5);
  }
  return samples;
}

/** Returns the loudest part of this length: somebody speaks there, as a recording may begin with silence. */
export function loudest(samples: Float32Array, length: number): Float32Array {
  const step = Math.max(1, Math.floor(length / 10));
  let [most, best] = [-1, 0];
  for (let start = 0; start + length <= samples.length; start += step) {
    let energy = 0;
    for (let i = start; i < start + length; i++) energy += (samples[i] ?? 0) ** 2;
    if (energy > most) [most, best] = [energy, start];
  }
  return samples.subarray(best, best + length);
}

function noise(length: number, seed: number): Float32Array {
  const draw = random(seed);
  return Float32Array.from({ length }, () => 0.5 * (2 * draw() - 1));
}

/** The default of `vad.max_utterance_ms`. */
const LONGEST_SECONDS = 30;

/** Returns signals that real streams contain and models tend to handle badly. */
export function edgeCases(sampleRate: number): EdgeCase[] {
  const second = speechLike(sampleRate, 1, 2);
  return [
    { name: "silence", samples: new Float32Array(sampleRate), reason: "a muted microphone sends silence" },
    { name: "noise", samples: noise(sampleRate, 3), reason: "streams contain noise" },
    {
      name: "clipped",
      samples: second.map((sample) => Math.sign(sample)),
      reason: "a microphone with too much gain clips",
    },
    { name: "1 sample", samples: Float32Array.of(0.1), reason: "the last block of a stream may be this short" },
    {
      name: "10 ms",
      samples: second.subarray(0, Math.round(sampleRate / 100)),
      reason: "the last block of a stream is often short",
    },
    {
      name: "30 s",
      samples: speechLike(sampleRate, LONGEST_SECONDS, 4),
      reason: "an utterance may be this long (vad.max_utterance_ms)",
    },
  ];
}
