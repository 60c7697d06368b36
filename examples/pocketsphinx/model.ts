import { join } from "node:path";

import type { Model, ModelModule } from "streamer/model";

import { Decoder } from "./library.ts";

/** What is spoken, as text. An interim result is what is understood of the utterance so far. */
class Recogniser implements Model<{ text: string }> {
  readonly #decoder: Decoder;

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  infer(audio: Float32Array): { text: string } {
    const samples = Int16Array.from(audio, (sample) =>
      Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))),
    );
    return { text: this.#decoder.recognise(samples) };
  }

  close(): void {
    this.#decoder.close();
  }
}

/** Debian's pocketsphinx-en-us: any English, 0.2 to 0.7 of real time. */
const EN_US = "/usr/share/pocketsphinx/model/en-us";
/** Debian's pocketsphinx-testdata: the digits from zero to nine and "oh", 0.02 of real time. */
const DIGITS = "/usr/share/pocketsphinx/test/data/tidigits";

const VOCABULARIES: Readonly<Record<string, Record<string, string>>> = {
  english: { hmm: join(EN_US, "en-us"), lm: join(EN_US, "en-us.lm.bin"), dict: join(EN_US, "cmudict-en-us.dict") },
  digits: {
    hmm: join(DIGITS, "hmm"),
    lm: join(DIGITS, "lm/tidigits.lm.bin"),
    dict: join(DIGITS, "lm/tidigits.dic"),
    // The parameters of hmm/feat.params but for dither, which the file turns on and which nothing here could turn off.
    featparams: "/dev/null",
    ...{ feat: "s2_4x", wlen: "0.025", lowerf: "1", upperf: "4000", nfilt: "20", transform: "dct" },
    ...{ round_filters: "no", remove_dc: "yes", agc: "none", varnorm: "no" },
  },
};

export default {
  name: "pocketsphinx",
  sampleRate: 16_000,
  // Dither is off, and nothing of one utterance is left for the next: the same audio gives the same words in any worker.
  idempotent: true,
  settings: {
    vocabulary: { default: "english", meaning: `one of ${Object.keys(VOCABULARIES).join(", ")}` },
  },
  validate({ vocabulary }) {
    const known = Object.keys(VOCABULARIES);
    if (vocabulary === undefined || known.includes(String(vocabulary))) return [];
    return [`vocabulary: found ${JSON.stringify(vocabulary)}, allowed are ${known.join(", ")}`];
  },
  load({ vocabulary }) {
    const files = VOCABULARIES[String(vocabulary ?? "english")];
    return new Recogniser(new Decoder({ ...files, dither: "no", cmn: "batch" }));
  },
} satisfies ModelModule;
