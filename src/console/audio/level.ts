/** Points a second to which a window is reduced, about. */
const POINT_RATE = 4000;
/** Coefficients of the polynomial that is subtracted. */
const TERMS = 5;
export const LOWEST_DB = -120;
export const HIGHEST_DB = 30;

/**
 * Level of a window of 10 ms, as the server's detector measures it: power without DC and hum. The method is described in
 * `native/vad_level.c`.
 */
export class WindowLevel {
  /** Samples of a window. */
  readonly windowSamples: number;
  readonly #group: number;
  readonly #points: Float64Array;
  /** Orthonormal polynomials over the points. */
  readonly #basis: readonly Float64Array[];

  /** @param sampleRate Hz */
  constructor(sampleRate: number) {
    this.windowSamples = Math.floor((sampleRate + 50) / 100);
    this.#group = Math.floor((sampleRate + POINT_RATE / 2) / POINT_RATE);
    this.#points = new Float64Array(Math.floor(this.windowSamples / this.#group));
    this.#basis = polynomials(this.#points.length);
  }

  /** Returns the level of the window that begins at `offset`, dBFS. */
  of(samples: Float32Array, offset = 0): number {
    const points = this.#points;
    const group = this.#group;
    for (let i = 0; i < points.length; i++) {
      let sum = 0;
      for (let j = 0; j < group; j++) sum += samples[offset + i * group + j] ?? 0;
      points[i] = sum;
    }
    for (const row of this.#basis) {
      let weight = 0;
      for (let i = 0; i < points.length; i++) weight += points[i]! * row[i]!;
      for (let i = 0; i < points.length; i++) points[i]! -= weight * row[i]!;
    }
    let energy = 0;
    for (const rest of points) energy += rest * rest;
    const mean = energy / (points.length * group * group);
    return mean > 1e-12 ? Math.min(HIGHEST_DB, 10 * Math.log10(mean)) : LOWEST_DB;
  }
}

/** Makes orthonormal polynomials over equidistant points, by Gram-Schmidt (twice, for accuracy) on 1, t, t^2, ... */
function polynomials(points: number): Float64Array[] {
  const rows: Float64Array[] = [];
  for (let k = 0; k < TERMS; k++) {
    const before = rows[k - 1];
    const row = Float64Array.from({ length: points }, (_, i) =>
      before === undefined ? 1 : before[i]! * ((2 * i + 1) / points - 1),
    );
    for (let pass = 0; pass < 2; pass++) {
      for (const other of rows) {
        const dot = row.reduce((sum, value, i) => sum + value * other[i]!, 0);
        for (let i = 0; i < points; i++) row[i]! -= dot * other[i]!;
      }
    }
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    rows.push(row.map((value) => value / length));
  }
  return rows;
}
