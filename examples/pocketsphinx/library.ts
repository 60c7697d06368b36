import { dlopen, ptr } from "bun:ffi";

/**
 * Debian's libpocketsphinx3, version 0.8+5prealpha; its interface is in pocketsphinx.h and, for err_ and cmd_ln_, in
 * sphinxbase.
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
  ps_free: { args: ["pointer"], returns: "i32" },
});

const { symbols: base } = dlopen("libsphinxbase.so.3", {
  // cmd_ln_t *cmd_ln_parse_r(cmd_ln_t *inout, arg_t const *defn, int32 argc, char *argv[], int32 strict)
  cmd_ln_parse_r: { args: ["pointer", "pointer", "i32", "buffer", "i32"], returns: "pointer" },
  cmd_ln_free_r: { args: ["pointer"], returns: "i32" },
  // int err_set_logfile(char const *path): it would print hundreds of lines.
  err_set_logfile: { args: ["buffer"], returns: "i32" },
});

/** One recogniser. Not to be used by two threads at a time; each worker has its own. */
export class Decoder {
  readonly #decoder: NonNullable<ReturnType<typeof sphinx.ps_init>>;

  /**
   * @param options as on the command line of pocketsphinx_continuous: `{ hmm: "/path", dict: "/path", ... }`. Throws.
   */
  constructor(options: Readonly<Record<string, string>>) {
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
  }

  /** The words of one utterance at 16 kHz, all of it at once, so that its loudness is normalised over the whole. */
  recognise(samples: Int16Array): string {
    if (samples.length === 0) return "";
    const decoder = this.#decoder;
    if (sphinx.ps_start_stream(decoder) < 0 || sphinx.ps_start_utt(decoder) < 0) {
      throw new Error("pocketsphinx cannot begin an utterance");
    }
    const frames = sphinx.ps_process_raw(decoder, samples, samples.length, 0, 1);
    if (sphinx.ps_end_utt(decoder) < 0 || frames < 0) throw new Error("pocketsphinx failed in an utterance");
    const words: unknown = sphinx.ps_get_hyp(decoder, null);
    return words === null ? "" : String(words);
  }

  close(): void {
    sphinx.ps_free(this.#decoder);
  }
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}
