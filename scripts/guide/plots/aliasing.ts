// Two tones at 48 kHz, 1 kHz and 10 kHz, brought to 16 kHz: by every third sample, and by the resampler of the server,
// which filters first. A sound of 10 kHz cannot exist at 16 kHz; without a filter it returns as one of 6 kHz.

import { Resampler } from "../../../src/native/resampler.ts";
import type { Plot } from "../support/plot.ts";

const [FROM_RATE, TO_RATE] = [48_000, 16_000];
const TONES = [1_000, 10_000];
/** Half of full scale each. */
const LEVEL = 0.5;
const POINTS = 512;
/** Lowest level that is drawn. */
const LOWEST_DBFS = -130;
const [NAIVE, FILTERED] = ["every third sample", "filtered, then every third sample"];

interface Row {
  readonly method: string;
  readonly hz: number;
  readonly dbfs: number;
}

export default {
  title: "Aliasing: without a filter, 10 kHz at 48 kHz becomes 6 kHz at 16 kHz",

  async measure() {
    const input = Float32Array.from({ length: FROM_RATE }, (_, i) =>
      TONES.reduce((sum, hz) => sum + LEVEL * Math.sin((2 * Math.PI * hz * i) / FROM_RATE), 0),
    );
    const naive = Float32Array.from({ length: TO_RATE }, (_, i) => input[3 * i]!);
    using resampler = new Resampler(FROM_RATE, TO_RATE);
    const filtered = new Float32Array(resampler.maxOutput(input.length));
    resampler.process(input, 0, input.length, filtered, 0);
    return await Promise.resolve([...spectrum(NAIVE!, naive), ...spectrum(FILTERED!, filtered)]);
  },

  draw() {
    return {
      spacing: 10,
      facet: {
        row: {
          field: "method",
          type: "nominal",
          sort: [NAIVE, FILTERED],
          title: null,
          header: { orient: "top", labelAnchor: "start" },
        },
      },
      spec: {
        width: 640,
        height: 130,
        mark: { type: "area", color: "#6fa8d0", line: { color: "#17375e", strokeWidth: 1 } },
        encoding: {
          x: { field: "hz", type: "quantitative", title: "frequency (Hz)", scale: { domain: [0, TO_RATE / 2] } },
          y: { field: "dbfs", type: "quantitative", title: "level (dBFS)", scale: { domain: [LOWEST_DBFS, 0] } },
          y2: { datum: LOWEST_DBFS },
        },
      },
    };
  },
} satisfies Plot<Row>;

/** The level at each frequency, from the middle of the samples, with a Blackman-Harris window (side lobes -92 dB). */
function spectrum(method: string, samples: Float32Array): Row[] {
  const begin = (samples.length - POINTS) >> 1;
  const turn = (2 * Math.PI) / POINTS;
  const weights = Array.from(
    { length: POINTS },
    (_, i) =>
      0.35875 - 0.48829 * Math.cos(turn * i) + 0.14128 * Math.cos(2 * turn * i) - 0.01168 * Math.cos(3 * turn * i),
  );
  const gain = weights.reduce((a, b) => a + b) / 2;
  return Array.from({ length: POINTS / 2 + 1 }, (_, bin) => {
    let [real, imaginary] = [0, 0];
    for (let i = 0; i < POINTS; i++) {
      const value = samples[begin + i]! * weights[i]!;
      real += value * Math.cos(turn * bin * i);
      imaginary -= value * Math.sin(turn * bin * i);
    }
    const dbfs = 20 * Math.log10(Math.hypot(real, imaginary) / gain + 1e-12);
    return { method, hz: (bin * TO_RATE) / POINTS, dbfs: Math.round(Math.max(LOWEST_DBFS, dbfs) * 10) / 10 };
  });
}
