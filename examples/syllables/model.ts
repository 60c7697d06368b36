import type { ModelModule } from "streamer/model";

/** Speech rate by N. de Jong and T. Wempe (2009): a syllable is a rise of the loudness by `rise_db` or more. */
export default {
  name: "syllables",
  idempotent: true,
  settings: { rise_db: { default: 2, unit: "dB", meaning: "how far a syllable stands out of what is before it" } },
  load: ({ rise_db }) => ({
    infer(audio, { sampleRate }) {
      let [smooth, valley, peak, syllables] = [1e-6, 1e9, 0, 0];
      for (const sample of audio) {
        smooth += ((sample * sample - smooth) * 40) / sampleRate;
        if (peak === 0) valley = Math.min(valley, smooth);
        peak = peak > 0 || smooth > Math.max(1e-5, valley * 10 ** (Number(rise_db) / 10)) ? Math.max(peak, smooth) : 0;
        if (smooth < peak / 10 ** (Number(rise_db) / 10)) [syllables, valley, peak] = [syllables + 1, smooth, 0];
      }
      return { syllables, per_second: (syllables * sampleRate) / Math.max(1, audio.length) };
    },
  }),
} satisfies ModelModule;
