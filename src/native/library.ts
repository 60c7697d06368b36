import { dlopen, type FFIFunction, type Library, type Pointer } from "bun:ffi";
import { readFileSync } from "node:fs";

import built from "../../native/build/libstreamer_audio.so" with { type: "file" };
import { messageOf } from "../lib/thrown.ts";
import { copyToFolder, copyToMemory } from "./library-copies.ts";
import { describeUnpackFailure, NativeLibraryError, temporaryFolder } from "./load-failure.ts";

/** Version of native/streamer_audio.h that the declarations below match. */
const ABI_VERSION = 8;

/*
 * The functions of native/streamer_audio.h, argument by argument. "buffer" takes a typed array, "ptr" an address or a
 * typed array. Integers are coerced silently, and so is what is no address, so the wrappers in this folder check them
 * first.
 */
const FUNCTIONS = {
  sa_abi_version: { args: [], returns: "u32" },

  sa_arena_new: { args: ["u32"], returns: "ptr" },
  sa_arena_base: { args: ["ptr"], returns: "ptr" },
  sa_arena_fd: { args: ["ptr"], returns: "i32" },
  sa_arena_give_back: { args: ["ptr", "u32", "u32"], returns: "i32" },
  sa_arena_resident: { args: ["ptr"], returns: "u32" },
  sa_arena_map: { args: ["i32", "u32"], returns: "ptr" },
  sa_arena_free: { args: ["ptr"], returns: "void" },
  sa_copy: { args: ["ptr", "u32", "ptr", "u32", "u32"], returns: "void" },

  sa_pcm_new: { args: ["u32", "u32"], returns: "ptr" },
  sa_pcm_process: { args: ["ptr", "buffer", "u32", "u32", "ptr", "buffer"], returns: "i32" },
  sa_pcm_frame_bytes: { args: ["ptr"], returns: "u32" },
  sa_pcm_pending: { args: ["ptr"], returns: "u32" },
  sa_pcm_flags: { args: ["ptr"], returns: "u32" },
  sa_pcm_flush: { args: ["ptr"], returns: "u32" },
  sa_pcm_reset: { args: ["ptr"], returns: "void" },
  sa_pcm_free: { args: ["ptr"], returns: "void" },

  sa_inspector_new: { args: ["u32", "u32"], returns: "ptr" },
  sa_inspector_process: { args: ["ptr", "ptr", "buffer", "u32"], returns: "u32" },
  sa_inspector_channel: { args: ["ptr", "u32"], returns: "i32" },
  sa_inspector_reset: { args: ["ptr"], returns: "void" },
  sa_inspector_free: { args: ["ptr"], returns: "void" },

  sa_resampler_new: { args: ["u32", "u32"], returns: "ptr" },
  sa_resampler_max_input: { args: ["ptr", "u32"], returns: "u32" },
  sa_resampler_max_output: { args: ["ptr", "u32"], returns: "u32" },
  sa_resampler_process: { args: ["ptr", "ptr", "u32", "u32", "ptr", "u32"], returns: "i32" },
  sa_resampler_flush: { args: ["ptr", "ptr", "u32", "u32"], returns: "i32" },
  sa_resampler_reset: { args: ["ptr"], returns: "void" },
  sa_resampler_bytes: { args: ["ptr"], returns: "u32" },
  sa_resampler_filter_bytes: { args: ["ptr"], returns: "u32" },
  sa_resampler_free: { args: ["ptr"], returns: "void" },

  sa_chain_new: { args: ["u32", "u32", "u32", "u32"], returns: "ptr" },
  sa_chain_detect: { args: ["ptr", "u32", "ptr"], returns: "i32" },
  sa_chain_process: {
    args: ["ptr", "buffer", "u32", "u32", "ptr", "buffer", "u32", "buffer", "buffer", "buffer"],
    returns: "i32",
  },
  sa_chain_spilled: { args: ["ptr"], returns: "u32" },
  sa_chain_flush: { args: ["ptr", "ptr", "buffer", "u32", "buffer", "buffer", "buffer"], returns: "i32" },
  sa_chain_channel: { args: ["ptr", "u32"], returns: "i32" },
  sa_chain_save: { args: ["ptr", "buffer", "u32"], returns: "u32" },
  sa_chain_restore: { args: ["ptr", "buffer", "u32"], returns: "i32" },
  sa_chain_reset: { args: ["ptr"], returns: "void" },
  sa_chain_free: { args: ["ptr"], returns: "void" },

  sa_vad_new: { args: ["u32", "f32", "f32"], returns: "ptr" },
  sa_vad_window: { args: ["ptr"], returns: "u32" },
  sa_vad_max_output: { args: ["ptr", "u32"], returns: "u32" },
  sa_vad_process: { args: ["ptr", "ptr", "u32", "u32", "buffer", "buffer"], returns: "i32" },
  sa_vad_flush: { args: ["ptr"], returns: "u32" },
  sa_vad_reset: { args: ["ptr"], returns: "void" },
  sa_vad_free: { args: ["ptr"], returns: "void" },

  sa_session_table_new: { args: ["u32"], returns: "ptr" },
  sa_session_table_open: { args: ["i32"], returns: "ptr" },
  sa_session_table_fd: { args: ["ptr"], returns: "i32" },
  sa_session_table_claim: { args: ["ptr", "u32", "u32", "u32", "u32", "u32"], returns: "i32" },
  sa_session_table_release: { args: ["ptr", "u32", "i32"], returns: "i32" },
  sa_session_table_has_room: { args: ["ptr", "u32"], returns: "i32" },
  sa_session_table_count: { args: ["ptr", "u32"], returns: "u32" },
  sa_session_table_reclaim: { args: ["ptr", "u32"], returns: "u32" },
  sa_session_table_free: { args: ["ptr"], returns: "void" },

  sa_port_reserve: { args: ["buffer", "u32"], returns: "i32" },
  sa_port_number: { args: ["i32"], returns: "i32" },
  sa_port_set_backlog: { args: ["u32", "u32"], returns: "i32" },

  sa_listener_find: { args: ["u32"], returns: "i32" },
  sa_listener_move: { args: ["i32", "i32"], returns: "i32" },
  sa_listener_watch: { args: ["i32", "buffer"], returns: "i32" },
  sa_listener_accept: { args: ["i32", "buffer", "u32"], returns: "i32" },

  sa_descriptors_open: { args: [], returns: "i32" },
  sa_connections_list: { args: ["u32", "buffer", "u32"], returns: "i32" },
  sa_connection_close: { args: ["i32", "u32"], returns: "i32" },

  sa_child_guard: { args: ["i32", "i32"], returns: "i32" },
} as const satisfies Record<string, FFIFunction>;

type Functions = Library<typeof FUNCTIONS>["symbols"];

let functions: Functions | undefined;
/** Path by which this process has opened the library, or is to open it. */
let path = Bun.isStandaloneExecutable ? undefined : built;

/**
 * Returns the functions of the C library. The first call opens it, so that commands that need no native code work where
 * it cannot be opened. Throws NativeLibraryError.
 */
export function native(): Functions {
  functions ??= open();
  return functions;
}

/** Path by which this process has opened the library. Its other threads give it to `adoptLibrary`. */
export function libraryPath(): string | undefined {
  return path;
}

/**
 * Lets this thread use the library that another thread of the process has opened: the dynamic linker knows it by its
 * path, also when the file is gone.
 */
export function adoptLibrary(opened: string | undefined): void {
  path = opened;
}

function open(): Functions {
  const opened = path === undefined ? openCopy(readFileSync(built)) : openBuilt(path);
  const version = opened.sa_abi_version();
  if (version === ABI_VERSION) return opened;
  throw new NativeLibraryError(`the C library has interface version ${version}, not ${ABI_VERSION}: build it again`);
}

function openBuilt(file: string): Functions {
  if (!Bun.isMainThread) return openLazily(file);
  try {
    return dlopen(file, FUNCTIONS).symbols;
  } catch (error) {
    throw new NativeLibraryError(`the C library cannot be loaded: ${messageOf(error)}; bun run build builds it`);
  }
}

/**
 * Opens each function when it is first used: Bun 1.4.5 keeps what it generates for a function, some 300 bytes, also when
 * the thread ends that has opened it, and a model may end thousands of threads.
 */
function openLazily(file: string): Functions {
  const functions = {};
  for (const name of Object.keys(FUNCTIONS) as (keyof typeof FUNCTIONS)[]) {
    const get = (): unknown => {
      const value: unknown = dlopen(file, { [name]: FUNCTIONS[name] }).symbols[name];
      Object.defineProperty(functions, name, { value });
      return value;
    };
    Object.defineProperty(functions, name, { configurable: true, get });
  }
  return functions as Functions;
}

/**
 * Opens a copy of the library in the executable: in memory, or in the temporary folder where programs may not run from
 * memory. Bun 1.4.5 would write it to the temporary folder under a name that can be guessed, and leave it there.
 */
function openCopy(library: Uint8Array): Functions {
  let reason: string;
  try {
    const copy = copyToMemory(library);
    try {
      return openFile(copy.path);
    } catch (error) {
      copy[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    reason = messageOf(error);
  }
  try {
    using copy = copyToFolder(library, temporaryFolder(process.env));
    return openFile(copy.path);
  } catch (error) {
    throw new NativeLibraryError(describeUnpackFailure(reason, error, process.env));
  }
}

function openFile(file: string): Functions {
  const opened = dlopen(file, FUNCTIONS).symbols;
  path = file;
  return opened;
}

/** The type of "ptr" in bun-types 1.4.5, as a result and as an argument. */
export type Address = Pointer | bigint;

/** Owner of one handle of the C library. */
export class Handle {
  readonly #name: string;
  readonly #release: (address: Address) => void;
  #pointer: Address | null;

  /** @param pointer null: the library refused the arguments, or there was no memory, which throws RangeError */
  constructor(name: string, pointer: Address | null, release: (address: Address) => void) {
    if (pointer === null) throw new RangeError(`${name}: argument out of range, or no memory`);
    this.#name = name;
    this.#pointer = pointer;
    this.#release = release;
  }

  /** Throws once the handle has been freed. */
  get pointer(): Address {
    if (this.#pointer === null) throw new Error(`${this.#name} is used after it was disposed`);
    return this.#pointer;
  }

  /** May be called more than once. */
  free(): void {
    if (this.#pointer !== null) this.#release(this.#pointer);
    this.#pointer = null;
  }
}
