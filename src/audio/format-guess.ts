import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS, type SampleFormat } from "../lib/sample-format.ts";
import { BlockSampler } from "./block-sampler.ts";
import { BLOCK_BYTES, isRepetitive, levelOf, type Reading, repeatsSigns, repetition, roughness } from "./readings.ts";

/** What the bytes of a stream look like: samples of another kind, or no samples. */
export type Guess = Reading | "compressed";

const NO_HISTOGRAM = new Uint16Array(0);
const LOOKS_PER_SECOND = 10;
/** Looks at sound that decide: one second of it. */
const SMOOTH_LOOKS = 10;
/** Looks at what is like random bytes that decide. */
const RANDOM_LOOKS = 10;
/** Looks after which there are no more: 30 s of audio, or 10 s of it loud. */
const MAX_LOOKS = 300;
const MAX_COMPARISONS = 100;

/** Samples that are read in a wrong way are loud, whatever they are, so that most quiet audio is not compared. */
const LOUD_DBFS = -30;
const LEVEL_BYTES = 240;

/** When no reading is as smooth as this, a look shows nothing. */
const SMOOTH = 0.5;
/** At this roughness the declared reading is right, and no other is tried. */
const VERY_SMOOTH = 0.05;
/** Another reading is right if it is smoother by this factor; more between formats of 8 bits, which are similar. */
const FACTOR = 1.6;
const FACTOR_OF_BYTES = 1.8;
/** Roughness of random bytes, give or take, and of readings that a look does not try. */
const ROUGH = 1;
const RANDOM_SPREAD = 0.15;
/** Two channels are alike if more bytes are equal to those one sample before them than this. */
const ALIKE = 0.45;
/**
 * Variance of the histogram of bytes, relative to the square of its mean. Compressed data has 0.02 (Opus) to 0.45
 * (FLAC), Gaussian noise 0.6 and more.
 */
const FLAT = 0.5;

/** The ways to read audio of which another one was announced. */
function readingsBeside(declared: SampleFormat): Reading[] {
  const littleEndian = SAMPLE_FORMAT_NAMES.filter((format) => format !== declared);
  const bigEndian = SAMPLE_FORMAT_NAMES.filter((format) => SAMPLE_FORMATS[format].bytes > 1);
  const readings: Reading[] = [
    ...littleEndian.map((format) => ({ format, bigEndian: false, shift: 0 }) as const),
    ...bigEndian.map((format) => ({ format, bigEndian: true, shift: 0 }) as const),
  ];
  if (declared === "s16") readings.push({ format: declared, bigEndian: false, shift: 1 });
  return readings;
}

const OTHERS = new Map<SampleFormat, readonly Reading[]>(
  SAMPLE_FORMAT_NAMES.map((format) => [format, readingsBeside(format)]),
);

/**
 * Guess whether the samples of a stream are what its start announced: audio is smooth if its bytes are read in the
 * right way, and rough in a wrong one. Looks at some places of the first second of sound; depends on the bytes alone.
 */
export class FormatGuess {
  readonly #declared: Reading;
  /** Bytes of a sample as declared. */
  readonly #width: number;
  readonly #channels: number;
  readonly #others: readonly Reading[];
  readonly #sampler: BlockSampler;
  #looks = 0;
  #comparisons = 0;
  #smoothLooks = 0;
  #randomLooks = 0;
  /** Sums of roughness at smooth looks. */
  #declaredSum = 0;
  readonly #otherSums: Float64Array;
  /** Most significant bytes of the samples at random looks. */
  #histogram = NO_HISTOGRAM;
  #guess: Guess | undefined;
  #done = false;

  constructor(declared: SampleFormat, channels: number, sampleRate: number) {
    this.#declared = { format: declared, bigEndian: false, shift: 0 };
    this.#width = SAMPLE_FORMATS[declared].bytes;
    this.#channels = channels;
    this.#others = OTHERS.get(declared) ?? [];
    this.#otherSums = new Float64Array(this.#others.length);
    const blocksPerSecond = (sampleRate * channels * this.#width) / BLOCK_BYTES;
    const stride = BLOCK_BYTES * Math.max(1, Math.floor(blocksPerSecond / LOOKS_PER_SECOND));
    this.#sampler = new BlockSampler(BLOCK_BYTES, stride, (bytes, offset) => this.#look(bytes, offset));
  }

  /** Nothing more is looked at. */
  get done(): boolean {
    return this.#done;
  }

  /** What the samples are in place of what was announced; undefined: what was announced, as far as is known. */
  get guess(): Guess | undefined {
    return this.#guess;
  }

  /** Takes the next bytes, `bytes[start .. end)`. */
  push(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#done) this.#sampler.push(bytes, start, end);
  }

  #look(bytes: Uint8Array, offset: number): boolean {
    this.#looks += 1;
    const isLoud = levelOf(bytes, offset, LEVEL_BYTES, this.#declared.format) >= LOUD_DBFS;
    if (isLoud) this.#compare(bytes, offset);
    this.#done = (isLoud && this.#decide()) || this.#looks === MAX_LOOKS || this.#comparisons === MAX_COMPARISONS;
    return this.#done;
  }

  #compare(bytes: Uint8Array, offset: number): void {
    this.#comparisons += 1;
    const isQuietBigEndian = this.#declared.format === "s16" && repeatsSigns(bytes, offset);
    const declared = isQuietBigEndian ? ROUGH : roughness(bytes, offset, this.#declared, this.#channels);
    const others = this.#others.map((other) => {
      if (isQuietBigEndian && !(other.format === "s16" && other.bigEndian)) return ROUGH;
      return declared < VERY_SMOOTH ? ROUGH : this.#roughness(bytes, offset, other);
    });
    const smoothest = Math.min(...others);
    // Tones near half the sample rate are rougher than random bytes.
    if (smoothest < declared && (declared > ROUGH + RANDOM_SPREAD || isRepetitive(bytes, offset))) return;
    if (Math.min(declared, smoothest) <= SMOOTH) {
      this.#smoothLooks += 1;
      this.#declaredSum += declared;
      for (const [i, other] of others.entries()) this.#otherSums[i] = (this.#otherSums[i] ?? 0) + other;
    } else if (Math.abs(declared - ROUGH) < RANDOM_SPREAD || SAMPLE_FORMATS[this.#declared.format].is_float) {
      this.#randomLooks += 1;
      // Most streams need none.
      if (this.#histogram.length === 0) this.#histogram = new Uint16Array(256);
      for (let at = offset + this.#width - 1; at < offset + BLOCK_BYTES; at += this.#width) {
        const byte = bytes[at] ?? 0;
        this.#histogram[byte] = (this.#histogram[byte] ?? 0) + 1;
      }
    }
  }

  /**
   * Roughness in another reading than the declared one. Equal channels have equal bytes, which are no neighbours in time:
   * samples of fewer bytes must be smooth over a declared frame, too.
   */
  #roughness(bytes: Uint8Array, offset: number, other: Reading): number {
    const rough = roughness(bytes, offset, other, this.#channels);
    const ratio = Math.ceil(this.#width / SAMPLE_FORMATS[other.format].bytes);
    if (this.#channels === 1 || rough > SMOOTH || ratio === 1) return rough;
    if (repetition(bytes, offset, this.#width) > ALIKE) return ROUGH;
    return roughness(bytes, offset, other, this.#channels * ratio) > ROUGH - RANDOM_SPREAD ? ROUGH : rough;
  }

  /** Returns true when enough has been seen. */
  #decide(): boolean {
    if (this.#smoothLooks === SMOOTH_LOOKS) {
      const smoothest = Math.min(...this.#otherSums);
      const other = this.#others[this.#otherSums.indexOf(smoothest)];
      const areBytes = this.#width === 1 && other !== undefined && SAMPLE_FORMATS[other.format].bytes === 1;
      if (this.#declaredSum >= (areBytes ? FACTOR_OF_BYTES : FACTOR) * smoothest) this.#guess = other;
      return true;
    }
    if (this.#randomLooks < RANDOM_LOOKS) return false;
    if (this.#smoothLooks === 0 && flatness(this.#histogram) <= FLAT) this.#guess = "compressed";
    // Else it may be the noise before the first word.
    this.#randomLooks = 0;
    this.#histogram.fill(0);
    return this.#guess !== undefined;
  }
}

/** Variance of the counts relative to the square of their mean, without what chance adds. */
function flatness(histogram: Uint16Array): number {
  const mean = histogram.reduce((sum, count) => sum + count, 0) / histogram.length;
  const variance = histogram.reduce((sum, count) => sum + (count - mean) ** 2, 0) / histogram.length;
  return (variance - mean) / mean ** 2;
}
