import { dlopen, type Pointer, ptr, read } from "bun:ffi";

/**
 * Debian's libpocketsphinx3, version 0.8+5prealpha; its interface is in pocketsphinx.h and, for err_, cmd_ln_ and cmn_,
 * in sphinxbase.
 */
const { symbols: sphinx } = dlopen("libpocketsphinx.so.3", {
  // const arg_t *ps_args(void): what can be set.
  ps_args: { args: [], returns: "pointer" },
  // ps_decoder_t *ps_init(cmd_ln_t *config): NULL when it cannot be made.
  ps_init: { args: ["pointer"], returns: "pointer" },
  // int ps_start_stream(ps_decoder_t *): forgets the noise level of the utterances before.
  ps_start_stream: { args: ["pointer"], returns: "i32" },
  ps_start_utt: { args: ["pointer"], returns: "i32" },
  // int ps_process_raw(ps_decoder_t *, int16 const *data, size_t samples, int no_search, int full_utt)
  ps_process_raw: { args: ["pointer", "buffer", "u64", "i32", "i32"], returns: "i32" },
  ps_end_utt: { args: ["pointer"], returns: "i32" },
  // char const *ps_get_hyp(ps_decoder_t *, int32 *score): NULL when nothing was understood.
  ps_get_hyp: { args: ["pointer", "pointer"], returns: "cstring" },
  // ps_seg_t *ps_seg_iter(ps_decoder_t *): the first word; NULL when there is none.
  ps_seg_iter: { args: ["pointer"], returns: "pointer" },
  // ps_seg_t *ps_seg_next(ps_seg_t *): NULL, and frees the iterator, after the last one.
  ps_seg_next: { args: ["pointer"], returns: "pointer" },
  ps_seg_word: { args: ["pointer"], returns: "cstring" },
  // void ps_seg_frames(ps_seg_t *, int *first, int *last)
  ps_seg_frames: { args: ["pointer", "buffer", "buffer"], returns: "void" },
  ps_get_feat: { args: ["pointer"], returns: "pointer" },
  ps_free: { args: ["pointer"], returns: "i32" },
});

const { symbols: base } = dlopen("libsphinxbase.so.3", {
  // cmd_ln_t *cmd_ln_parse_r(cmd_ln_t *inout, arg_t const *defn, int32 argc, char *argv[], int32 strict)
  cmd_ln_parse_r: { args: ["pointer", "pointer", "i32", "buffer", "i32"], returns: "pointer" },
  cmd_ln_free_r: { args: ["pointer"], returns: "i32" },
  // void cmn_live_get(cmn_t *, mfcc_t *mean), void cmn_live_set(cmn_t *, mfcc_t const *mean)
  cmn_live_get: { args: ["pointer", "buffer"], returns: "void" },
  cmn_live_set: { args: ["pointer", "buffer"], returns: "void" },
  // int err_set_logfile(char const *path): it would print hundreds of lines.
  err_set_logfile: { args: ["buffer"], returns: "i32" },
});

/** Frames in a second, and samples at 16 kHz. */
const FRAME_RATE = 100;
/** Offsets in bytes within feat_t and cmn_t, which have no functions for these fields. */
const FEAT_CEPSIZE = 16;
const FEAT_CMN = 88;
const CMN_VECLEN = 28;

/** A word, and when it was spoken, in seconds from the start of the utterance. */
export interface Word {
  word: string;
  start: number;
  end: number;
}

/** One recogniser. Not to be used by two threads at a time, nor for two utterances. */
export class Decoder {
  readonly #decoder: NonNullable<ReturnType<typeof sphinx.ps_init>>;
  readonly #cmn: Pointer;
  /** The mean of the cepstra that the model expects. */
  readonly #mean: Float32Array;
  readonly #prelude: Int16Array;

  /**
   * @param options as on the command line of pocketsphinx_continuous: `{ hmm: "/path", dict: "/path", ... }`. Throws.
   * @param prelude samples that are decoded before each utterance, and forgotten. Semi-continuous models begin the search
   * of a frame where that of the last one ended, so that without it an utterance depends on the one before.
   */
  constructor(options: Readonly<Record<string, string>>, prelude = new Int16Array(0)) {
    this.#prelude = prelude;
    base.err_set_logfile(text("/dev/null"));
    // argv[0] is the program's name. The texts must live until they are parsed; they are copied then.
    const words = ["model", ...Object.entries(options).flatMap(([name, value]) => [`-${name}`, value])].map(text);
    const argv = BigUint64Array.from(words, (word) => BigInt(ptr(word)));
    const config = base.cmd_ln_parse_r(null, sphinx.ps_args(), words.length, argv, 1);
    if (config === null) throw new Error(`pocketsphinx does not take ${JSON.stringify(options)}`);
    const decoder = sphinx.ps_init(config);
    base.cmd_ln_free_r(config);
    if (decoder === null) throw new Error(`pocketsphinx cannot read its model: ${JSON.stringify(options)}`);
    this.#decoder = decoder;
    const feat = sphinx.ps_get_feat(decoder) as Pointer;
    this.#cmn = read.ptr(feat, FEAT_CMN) as Pointer;
    const size = read.i32(feat, FEAT_CEPSIZE);
    if (size < 1 || size > 64 || read.i32(this.#cmn, CMN_VECLEN) !== size) {
      throw new Error("pocketsphinx: the library is not version 0.8+5prealpha");
    }
    this.#mean = new Float32Array(size);
    base.cmn_live_get(this.#cmn, this.#mean);
  }

  /** Begins an utterance. Nothing of those before is left: neither their noise nor their loudness. */
  start(): void {
    if (this.#prelude.length > 0) {
      this.#start();
      this.process(this.#prelude);
      this.end();
    }
    this.#start();
  }

  #start(): void {
    base.cmn_live_set(this.#cmn, this.#mean);
    if (sphinx.ps_start_stream(this.#decoder) < 0 || sphinx.ps_start_utt(this.#decoder) < 0) {
      throw new Error("pocketsphinx cannot begin an utterance");
    }
  }

  /** Takes the next samples of the utterance, 16 kHz. @param isWhole they are all of it, and are normalised over it */
  process(samples: Int16Array, isWhole = false): void {
    if (samples.length === 0) return;
    const frames = sphinx.ps_process_raw(this.#decoder, samples, samples.length, 0, Number(isWhole));
    if (frames < 0) throw new Error("pocketsphinx failed in an utterance");
  }

  /** Ends the utterance: what is understood does not change any more. */
  end(): void {
    if (sphinx.ps_end_utt(this.#decoder) < 0) throw new Error("pocketsphinx cannot end an utterance");
  }

  /** What is understood of the utterance so far. */
  get text(): string {
    const words: unknown = sphinx.ps_get_hyp(this.#decoder, null);
    return words === null ? "" : String(words);
  }

  /** The words of the utterance with their times, without pauses and noises. */
  get words(): Word[] {
    const words: Word[] = [];
    const [first, last] = [new Int32Array(1), new Int32Array(1)];
    let segment = sphinx.ps_seg_iter(this.#decoder);
    for (; segment !== null; segment = sphinx.ps_seg_next(segment)) {
      const name = String(sphinx.ps_seg_word(segment));
      // Pauses and noises are <sil>, [NOISE], ++BREATH++. The second pronunciation of "the" is the(2).
      if (/^[<[+]/.test(name)) continue;
      sphinx.ps_seg_frames(segment, first, last);
      const word = name.replace(/\(\d+\)$/, "");
      words.push({ word, start: first[0]! / FRAME_RATE, end: (last[0]! + 1) / FRAME_RATE });
    }
    return words;
  }

  close(): void {
    sphinx.ps_free(this.#decoder);
  }
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}
