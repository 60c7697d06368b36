import { join } from "node:path";

import type { Model, ModelModule, PinnedModel, PinnedStream } from "streamer/model";

import { Decoder, type Word } from "./library.ts";

interface Output {
  text: string;
  words?: Word[];
}

/** The decoders of a worker. Loading one takes longer than a stream should wait, so that streams leave theirs to others. */
class Decoders {
  readonly #load: () => Decoder;
  readonly #free: Decoder[];

  constructor(load: () => Decoder) {
    this.#load = load;
    this.#free = [load()];
  }

  take(): Decoder {
    return this.#free.pop() ?? this.#load();
  }

  giveBack(decoder: Decoder): void {
    this.#free.push(decoder);
  }

  close(): void {
    for (const decoder of this.#free.splice(0)) decoder.close();
  }
}

/** A stream whose audio is decoded as it is spoken. What is understood so far costs nothing. */
class SpokenStream implements PinnedStream<Output> {
  readonly #decoders: Decoders;
  readonly #decoder: Decoder;
  #started = false;

  constructor(decoders: Decoders) {
    this.#decoders = decoders;
    this.#decoder = decoders.take();
  }

  step(audio: Float32Array): Output | undefined {
    if (!this.#started) this.#decoder.start();
    this.#started = true;
    this.#decoder.process(toInt16(audio));
    const { text } = this.#decoder;
    return text === "" ? undefined : { text };
  }

  finish(): Output {
    if (!this.#started) return { text: "", words: [] };
    this.reset();
    const { text, words } = this.#decoder;
    return { text, words };
  }

  /** Ends the utterance. The next step begins another. */
  reset(): void {
    if (this.#started) this.#decoder.end();
    this.#started = false;
  }

  close(): void {
    this.reset();
    this.#decoders.giveBack(this.#decoder);
  }
}

/** Streams that are decoded as they are spoken, each by a decoder of its own. */
class SpokenRecogniser implements PinnedModel<Output> {
  readonly #decoders: Decoders;

  constructor(decoders: Decoders) {
    this.#decoders = decoders;
  }

  open(): SpokenStream {
    return new SpokenStream(this.#decoders);
  }

  close(): void {
    this.#decoders.close();
  }
}

/** Decodes each piece as a whole, and an interim from the start of the utterance again. */
class WholeRecogniser implements Model<Output> {
  readonly #decoders: Decoders;
  readonly #decoder: Decoder;

  constructor(decoders: Decoders) {
    this.#decoders = decoders;
    this.#decoder = decoders.take();
  }

  infer(audio: Float32Array): Output {
    if (audio.length === 0) return { text: "", words: [] };
    this.#decoder.start();
    try {
      this.#decoder.process(toInt16(audio), true);
    } finally {
      this.#decoder.end();
    }
    const { text, words } = this.#decoder;
    return { text, words };
  }

  close(): void {
    this.#decoders.giveBack(this.#decoder);
    this.#decoders.close();
  }
}

function toInt16(audio: Float32Array): Int16Array {
  return Int16Array.from(audio, (sample) => Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))));
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

/** Half a second of noise, always the same. */
const PRELUDE = Int16Array.from({ length: 8000 }, (_, i) => ((i * 7919 * (i + 104_729)) % 8192) - 4096);

export default {
  name: "pocketsphinx",
  sampleRate: 16_000,
  // Dither is off, and nothing of one utterance is left for the next: the same audio gives the same words in any worker.
  idempotent: true,
  settings: {
    vocabulary: { default: "english", meaning: `one of ${Object.keys(VOCABULARIES).join(", ")}` },
    incremental: { default: true, meaning: "decodes audio as it is spoken; false: each utterance as a whole" },
  },
  validate({ vocabulary }) {
    const known = Object.keys(VOCABULARIES);
    if (known.includes(String(vocabulary))) return [];
    return [`vocabulary: found ${JSON.stringify(vocabulary)}, allowed are ${known.join(", ")}`];
  },
  load({ vocabulary, incremental }) {
    // Silence stays, because the times of words count it.
    const options = { ...VOCABULARIES[String(vocabulary)], dither: "no", cmn: "batch", remove_silence: "no" };
    const decoders = new Decoders(() => new Decoder(options, vocabulary === "digits" ? PRELUDE : undefined));
    return incremental === false ? new WholeRecogniser(decoders) : new SpokenRecogniser(decoders);
  },
} satisfies ModelModule;
