import { RATE, SPEECH_DB } from "./vad-speech.ts";

/** In samples, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Scene {
  readonly name: string;
  readonly samples: Float32Array;
  /** Spans of speech, in order. */
  readonly speech: readonly Span[];
}

const VOICES = 8;
const STEADY_SECONDS = 60;

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32, public domain). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** White Gaussian noise with a power of 0 dBFS. */
function white(length: number, seed: number): Float32Array {
  const random = generator(seed);
  return Float32Array.from({ length }, () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
}

/** Noise that falls by 10 dB a decade (Kellet's filter). */
function pink(length: number, seed: number): Float32Array {
  let a = 0;
  let b = 0;
  let c = 0;
  return white(length, seed).map((sample) => {
    a = 0.99765 * a + 0.099046 * sample;
    b = 0.963 * b + 0.2965164 * sample;
    c = 0.57 * c + 1.0526913 * sample;
    return a + b + c + 0.1848 * sample;
  });
}

/** Noise that falls by 20 dB a decade, like the rumble of a vehicle. */
function brown(length: number, seed: number): Float32Array {
  let sum = 0;
  return white(length, seed).map((sample) => (sum = 0.998 * sum + sample));
}

/** Several voices at once. Each speaks all utterances without gaps, from another place on. */
function babble(length: number, utterances: readonly Float32Array[], seed: number): Float32Array {
  const random = generator(seed);
  const sum = new Float32Array(length);
  const all = new Float32Array(utterances.reduce((n, u) => n + u.length, 0));
  for (let voice = 0; voice < VOICES; voice++) {
    let at = 0;
    const order = utterances.map((u) => ({ u, key: random() })).sort((a, b) => a.key - b.key);
    for (const { u } of order) {
      all.set(u, at);
      at += u.length;
    }
    const shift = Math.floor(random() * all.length);
    for (let i = 0; i < length; i++) sum[i] = (sum[i] ?? 0) + (all[(i + shift) % all.length] ?? 0);
  }
  return sum;
}

function hum(length: number, mains: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => {
    const t = (2 * Math.PI * mains * i) / RATE;
    return Math.sin(t) + 0.3 * Math.sin(2 * t + 1) + 0.2 * Math.sin(3 * t + 2);
  });
}

/** Broken chords of decaying notes with overtones, eight notes a second, over a bass. */
function music(length: number, seed: number): Float32Array {
  const random = generator(seed);
  const out = new Float32Array(length);
  const scale = [0, 3, 5, 7, 10, 12, 15, 19];
  const note = RATE / 8;
  for (let at = 0, n = 0; at < length; at += note, n++) {
    const low = n % 8 === 0;
    const pitch = low ? 110 : 220 * 2 ** ((scale[Math.floor(random() * scale.length)] ?? 0) / 12);
    const decay = RATE * (low ? 0.8 : 0.3);
    for (let i = 0; i < 4 * decay && at + i < length; i++) {
      let sample = 0;
      for (let k = 1; k <= 5; k++) sample += Math.sin((2 * Math.PI * pitch * k * i) / RATE) / k ** 1.5;
      out[at + i] = (out[at + i] ?? 0) + Math.min(1, i / 80) * Math.exp(-i / decay) * sample;
    }
  }
  return out;
}

/** Scales to a mean power in dBFS. */
function at(decibel: number, samples: Float32Array): Float32Array {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const gain = Math.sqrt(10 ** (decibel / 10) / power);
  return samples.map((sample) => sample * gain);
}

/** Rounds to 16 bits. */
function quantized(samples: Float32Array): Float32Array {
  return samples.map((sample) => Math.max(-32768, Math.min(32767, Math.round(sample * 32768))) / 32768);
}

/** The utterances, each twice, in random order with gaps of 0.8 to 2.5 s of digital silence. */
function conversation(utterances: readonly Float32Array[], seed: number): Scene {
  const random = generator(seed);
  const turns = [...utterances, ...utterances].map((u) => ({ u, key: random() })).sort((a, b) => a.key - b.key);
  const speech: Span[] = [];
  let clock = RATE;
  for (const { u } of turns) {
    speech.push({ start: clock, end: clock + u.length });
    clock += u.length + Math.round(RATE * (0.8 + 1.7 * random()));
  }
  const samples = new Float32Array(clock);
  turns.forEach(({ u }, i) => samples.set(u, speech[i]?.start ?? 0));
  return { name: "clean", samples, speech };
}

/** Speech with known gaps: clean, and in white noise and babble at 20, 10 and 5 dB. */
export function spoken(utterances: readonly Float32Array[], seed: number): Scene[] {
  const clean = conversation(utterances, seed);
  const length = clean.samples.length;
  const noises = { white: white(length, seed + 1), babble: babble(length, utterances, seed + 2) };
  const noisy = Object.entries(noises).flatMap(([name, noise]) =>
    [20, 10, 5].map((snr) => {
      const scaled = at(SPEECH_DB - snr, noise);
      return {
        ...clean,
        name: `${name} ${snr} dB`,
        samples: quantized(clean.samples.map((sample, i) => sample + (scaled[i] ?? 0))),
      };
    }),
  );
  return [{ ...clean, samples: quantized(clean.samples) }, ...noisy];
}

/** A minute of each kind of sound that is not speech. */
export function unspoken(utterances: readonly Float32Array[], seed: number): Scene[] {
  const length = STEADY_SECONDS * RATE;
  const second = white(length, seed + 1);
  const scenes: [string, Float32Array][] = [
    ["digital silence", new Float32Array(length)],
    ["dither", at(-93, white(length, seed))],
    ...[-60, -40, -20].map((level): [string, Float32Array] => [`white ${level} dBFS`, at(level, second)]),
    ["pink -30 dBFS", at(-30, pink(length, seed + 2))],
    ["rumble -20 dBFS", at(-20, brown(length, seed + 3))],
    ["babble -30 dBFS", at(-30, babble(length, utterances, seed + 4))],
    ["hum 50 Hz -20 dBFS", at(-20, hum(length, 50))],
    ["hum 60 Hz -20 dBFS", at(-20, hum(length, 60))],
    [
      "tone 1 kHz -20 dBFS",
      at(
        -20,
        Float32Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * i) / 16)),
      ),
    ],
    ["music -26 dBFS", at(-26, music(length, seed + 5))],
  ];
  return scenes.map(([name, samples]) => ({ name, samples: quantized(samples), speech: [] }));
}
