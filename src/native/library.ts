import { dlopen, type Pointer } from "bun:ffi";

import path from "../../native/build/libstreamer_audio.so" with { type: "file" };

/** Version of native/streamer_audio.h that the symbols below were written for. */
const ABI_VERSION = 1;

/*
 * Argument by argument as in native/streamer_audio.h. "buffer" takes a typed array as it is, also one of shared memory;
 * integers are coerced silently, so the wrappers in this folder check them first.
 */
const library = dlopen(path, {
  sa_abi_version: { args: [], returns: "u32" },

  sa_pcm_new: { args: ["u32", "u32"], returns: "ptr" },
  sa_pcm_process: { args: ["ptr", "buffer", "u32", "u32", "buffer", "buffer"], returns: "i32" },
  sa_pcm_pending: { args: ["ptr"], returns: "u32" },
  sa_pcm_flags: { args: ["ptr"], returns: "u32" },
  sa_pcm_flush: { args: ["ptr"], returns: "u32" },
  sa_pcm_reset: { args: ["ptr"], returns: "void" },
  sa_pcm_free: { args: ["ptr"], returns: "void" },

  sa_inspector_new: { args: ["u32", "u32"], returns: "ptr" },
  sa_inspector_process: { args: ["ptr", "buffer", "buffer", "u32"], returns: "u32" },
  sa_inspector_channel: { args: ["ptr", "u32"], returns: "i32" },
  sa_inspector_reset: { args: ["ptr"], returns: "void" },
  sa_inspector_free: { args: ["ptr"], returns: "void" },

  sa_resampler_new: { args: ["u32", "u32"], returns: "ptr" },
  sa_resampler_max_input: { args: ["ptr", "u32"], returns: "u32" },
  sa_resampler_max_output: { args: ["ptr", "u32"], returns: "u32" },
  sa_resampler_process: { args: ["ptr", "buffer", "u32", "u32", "buffer", "u32"], returns: "i32" },
  sa_resampler_flush: { args: ["ptr", "buffer", "u32", "u32"], returns: "i32" },
  sa_resampler_reset: { args: ["ptr"], returns: "void" },
  sa_resampler_bytes: { args: ["ptr"], returns: "u32" },
  sa_resampler_filter_bytes: { args: ["ptr"], returns: "u32" },
  sa_resampler_free: { args: ["ptr"], returns: "void" },

  sa_vad_new: { args: ["u32", "f32"], returns: "ptr" },
  sa_vad_window: { args: ["ptr"], returns: "u32" },
  sa_vad_max_output: { args: ["ptr", "u32"], returns: "u32" },
  sa_vad_process: { args: ["ptr", "buffer", "u32", "u32", "buffer", "buffer"], returns: "i32" },
  sa_vad_flush: { args: ["ptr"], returns: "u32" },
  sa_vad_reset: { args: ["ptr"], returns: "void" },
  sa_vad_free: { args: ["ptr"], returns: "void" },
});

export const native = library.symbols;

if (native.sa_abi_version() !== ABI_VERSION)
  throw new Error(`the C library has interface ${native.sa_abi_version()}, not ${ABI_VERSION}: build it again`);

/** bun-types 1.4.5 says that "ptr" may come back as a bigint; it may be passed as one too. */
type Address = Pointer | bigint;

/** Owns one native handle: `pointer` throws once it was freed, `free` may be called again. */
export class Handle {
  readonly #name: string;
  readonly #release: (address: Address) => void;
  #pointer: Address | null;

  /** Throws RangeError when `pointer` is null: the library refused its arguments, or there was no memory. */
  constructor(name: string, pointer: Address | null, release: (address: Address) => void) {
    if (pointer === null) throw new RangeError(`${name}: argument out of range, or no memory`);
    this.#name = name;
    this.#pointer = pointer;
    this.#release = release;
  }

  get pointer(): Address {
    if (this.#pointer === null) throw new Error(`${this.#name} is used after it was disposed`);
    return this.#pointer;
  }

  free(): void {
    if (this.#pointer !== null) this.#release(this.#pointer);
    this.#pointer = null;
  }
}
