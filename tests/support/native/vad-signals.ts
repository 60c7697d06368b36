import { EnergyVad } from "../../../src/native/vad.ts";
import { seeded } from "../audio.ts";

export interface Windows {
  /** For each window, 1 speech and 0 not. */
  readonly speech: readonly number[];
  readonly levelDb: readonly number[];
}

/**
 * Decisions of a VAD about `samples`, cut after each of `cuts` samples, used in turn. Throws when it writes another
 * number of windows than it announced.
 */
export function runDetector(
  vad: EnergyVad,
  samples: Float32Array,
  cuts: readonly number[] = [samples.length],
): Windows {
  const speech: number[] = [];
  const levelDb: number[] = [];
  for (let at = 0, turn = 0; at < samples.length; turn++) {
    const cut = turn % cuts.length;
    const length = Math.min(Math.max(cuts[cut] ?? 1, cut === 0 ? 1 : 0), samples.length - at);
    const announced = vad.maxWindows(length);
    const speechOut = new Uint8Array(announced);
    const levelOut = new Float32Array(announced);
    const windows = vad.process(samples, at, length, speechOut, levelOut);
    if (windows !== announced) throw new Error(`${windows} windows, but ${announced} were announced`);
    speech.push(...speechOut);
    levelDb.push(...levelOut);
    at += length;
  }
  return { speech, levelDb };
}

/** Decisions of a new VAD about the whole of `samples`. */
export function detect(samples: Float32Array, rate = 16_000, thresholdDb = 10): Windows {
  using vad = new EnergyVad(rate, thresholdDb, -70);
  return runDetector(vad, samples);
}

/** White noise whose mean power is `levelDb` dBFS. */
export function whiteNoise(length: number, levelDb: number, seed: number): Float32Array {
  const random = seeded(seed);
  const peak = Math.sqrt(3 * 10 ** (levelDb / 10));
  return Float32Array.from({ length }, () => peak * (2 * random() - 1));
}

/** A sine whose mean power is `levelDb` dBFS. */
export function sine(length: number, frequency: number, levelDb: number, rate = 16_000): Float32Array {
  const peak = Math.sqrt(2 * 10 ** (levelDb / 10));
  return Float32Array.from({ length }, (_, i) => peak * Math.sin((2 * Math.PI * frequency * i) / rate));
}

export function mix(...parts: readonly Float32Array[]): Float32Array {
  const length = Math.max(...parts.map((part) => part.length));
  return Float32Array.from({ length }, (_, i) => parts.reduce((sum, part) => sum + (part[i] ?? 0), 0));
}

export function concat(...parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Numbers of the windows that are speech. */
export function speechWindows({ speech }: Windows): number[] {
  return speech.flatMap((is, window) => (is === 1 ? [window] : []));
}

/**
 * Level of one window by its definition in native/vad_level.c, in double precision: points are sums of round(rate /
 * 4000) samples, less the polynomial of degree 4 that fits them best (by the recurrence of Gram's polynomials).
 */
export function levelOracle(window: Float32Array, rate: number): number {
  const group = Math.floor((rate + 2000) / 4000);
  const count = Math.floor(window.length / group);
  let rest = Array.from({ length: count }, (_, i) =>
    window.slice(i * group, (i + 1) * group).reduce((sum, sample) => sum + sample, 0),
  );
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
  let before = rest.map(() => 0);
  let polynomial = rest.map(() => 1);
  let ratio = 0;
  for (let degree = 0; degree <= 4; degree++) {
    const square = dot(polynomial, polynomial);
    const weight = dot(rest, polynomial) / square;
    const [now, last, share] = [polynomial, before, ratio];
    rest = rest.map((x, i) => x - weight * (now[i] ?? 0));
    polynomial = now.map((x, i) => ((2 * i + 1) / count - 1) * x - share * (last[i] ?? 0));
    before = now;
    ratio = dot(polynomial, polynomial) / square;
  }
  return 10 * Math.log10(dot(rest, rest) / count / group ** 2);
}
