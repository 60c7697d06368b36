/**
 * Discrete Fourier transform of real signals of one length, in double precision. The order of operations is fixed, so
 * equal input gives equal bits.
 *
 * `forward` computes X[k] = sum over n of x[n] exp(-2 pi i k n / N) for k = 0 to N/2; `inverse` is its exact
 * counterpart, with the factor 1/N. N real samples are treated as N/2 complex ones for a radix-2 transform (Cooley and
 * Tukey, "An Algorithm for the Machine Calculation of Complex Fourier Series", 1965), and the symmetry of real signals
 * yields their spectrum (Press et al., "Numerical Recipes", section 12.3).
 */
export class RealFft {
  /** N, in samples. */
  readonly size: number;
  /** Bins of the spectrum, N/2 + 1: frequencies from 0 to half the sample rate. */
  readonly bins: number;
  /** Cosine and sine of -2 pi k / N for k = 0 to N/2 - 1. */
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  /** Indices of the complex samples in bit-reversed order. */
  readonly #order: Uint32Array;
  readonly #re: Float64Array;
  readonly #im: Float64Array;

  /** @param size N, a power of two from 4 to 65,536, else RangeError */
  constructor(size: number) {
    if (!Number.isInteger(size) || size < 4 || size > 65_536 || (size & (size - 1)) !== 0) {
      throw new RangeError(`fft: size is ${size}, not a power of two from 4 to 65536`);
    }
    const half = size / 2;
    this.size = size;
    this.bins = half + 1;
    this.#cos = Float64Array.from({ length: half }, (_, k) => Math.cos((-2 * Math.PI * k) / size));
    this.#sin = Float64Array.from({ length: half }, (_, k) => Math.sin((-2 * Math.PI * k) / size));
    this.#order = bitReversed(half);
    this.#re = new Float64Array(half);
    this.#im = new Float64Array(half);
  }

  /** @param samples N samples; @param re,im receive the spectrum, N/2 + 1 bins each */
  forward(samples: ArrayLike<number>, re: Float64Array, im: Float64Array): void {
    const half = this.size / 2;
    const [zre, zim, order] = [this.#re, this.#im, this.#order];
    for (let i = 0; i < half; i++) {
      const from = 2 * order[i]!;
      zre[i] = samples[from]!;
      zim[i] = samples[from + 1]!;
    }
    this.#transform();
    for (let k = 0; k <= half; k++) {
      const a = k === half ? 0 : k;
      const b = a === 0 ? 0 : half - a;
      // Spectra of the even samples, (Z[k] + conj Z[-k]) / 2, and of the odd ones, (Z[k] - conj Z[-k]) / 2i.
      const evenRe = (zre[a]! + zre[b]!) / 2;
      const evenIm = (zim[a]! - zim[b]!) / 2;
      const oddRe = (zim[a]! + zim[b]!) / 2;
      const oddIm = (zre[b]! - zre[a]!) / 2;
      const cos = k === half ? -1 : this.#cos[k]!;
      const sin = k === half ? 0 : this.#sin[k]!;
      re[k] = evenRe + cos * oddRe - sin * oddIm;
      im[k] = evenIm + cos * oddIm + sin * oddRe;
    }
  }

  /** @param re,im N/2 + 1 bins each, where im[0] and im[N/2] count as 0; @param samples receives N samples */
  inverse(re: Float64Array, im: Float64Array, samples: Float64Array): void {
    const half = this.size / 2;
    const [zre, zim, order] = [this.#re, this.#im, this.#order];
    for (let i = 0; i < half; i++) {
      const a = order[i]!;
      const b = half - a;
      const imA = a === 0 ? 0 : im[a]!;
      const imB = a === 0 ? 0 : im[b]!;
      const evenRe = (re[a]! + re[b]!) / 2;
      const evenIm = (imA - imB) / 2;
      const diffRe = (re[a]! - re[b]!) / 2;
      const diffIm = (imA + imB) / 2;
      // The spectrum of the odd samples, rotated back by exp(2 pi i k / N).
      const oddRe = diffRe * this.#cos[a]! + diffIm * this.#sin[a]!;
      const oddIm = diffIm * this.#cos[a]! - diffRe * this.#sin[a]!;
      // Conjugated: the inverse is the conjugate of the forward transform of the conjugate.
      zre[i] = evenRe - oddIm;
      zim[i] = -(evenIm + oddRe);
    }
    this.#transform();
    for (let i = 0; i < half; i++) {
      samples[2 * i] = zre[i]! / half;
      samples[2 * i + 1] = -zim[i]! / half;
    }
  }

  /** Transforms N/2 complex samples in place. They are in bit-reversed order. */
  #transform(): void {
    const half = this.size / 2;
    const [re, im, cosines, sines] = [this.#re, this.#im, this.#cos, this.#sin];
    for (let span = 1; span < half; span *= 2) {
      const stride = half / span;
      for (let start = 0; start < half; start += 2 * span) {
        for (let k = 0; k < span; k++) {
          const cos = cosines[k * stride]!;
          const sin = sines[k * stride]!;
          const a = start + k;
          const b = a + span;
          const turnedRe = re[b]! * cos - im[b]! * sin;
          const turnedIm = re[b]! * sin + im[b]! * cos;
          re[b] = re[a]! - turnedRe;
          im[b] = im[a]! - turnedIm;
          re[a] = re[a]! + turnedRe;
          im[a] = im[a]! + turnedIm;
        }
      }
    }
  }
}

function bitReversed(length: number): Uint32Array {
  const order = new Uint32Array(length);
  for (let i = 1; i < length; i++) order[i] = order[i >> 1]! / 2 + (i & 1 ? length / 2 : 0);
  return order;
}
