import type { JobResult } from "../model/job.ts";
import type { WorkerResult } from "./messages.ts";

/** Bytes for results that the host has not read. A power of two. */
const RING_BYTES = 64 * 1024;
const HEADER_BYTES = 16;
/** Records begin at multiples of this. */
const ALIGNMENT = 8;
/** Bytes of a record before its results, and of a result before its text. */
const RECORD_HEADER = 16;
const RESULT_HEADER = 4;
/** Bytes in UTF-8 of one character of text, at most. */
const BYTES_PER_CHARACTER = 3;

// Words of the header.
/** Bytes that the worker has written and the host has read, modulo 2^32. */
const WRITTEN = 0;
const READ = 1;
/** 1: the host has a message that there are results. */
const SIGNALLED = 2;

/** Marks the unused rest before the end of the memory. */
const SKIP = 0xffff_ffff;

// Kinds of a result, in the upper bits of its length.
const KIND_SHIFT = 30;
const LENGTH_MASK = (1 << KIND_SHIFT) - 1;
/** No text: the model returned no result. */
const NOTHING = 0;
/** The text is the output. */
const OUTPUT = 1;
/** The text is the whole result: an error, for example. */
const WHOLE = 2;

/** The end of a call, as the worker reports it. */
export interface CallEnd {
  /** See `CallRing`. */
  readonly position: number;
  /** Time in the model. */
  readonly inferMs: number;
  readonly results: readonly JobResult[];
}

/**
 * Results on their way from a worker to its host, in shared memory. A worker that has written results posts one message,
 * and no other until the host has begun to read, so that a busy main thread reads many results at once. What was written
 * is kept when the worker ends. Results with audio or state, and those that do not fit, travel in messages.
 */
export class ResultRing {
  readonly buffer: SharedArrayBuffer;
  readonly #header: Int32Array;
  readonly #words: Uint32Array;
  readonly #times: Float64Array;
  readonly #text: Buffer;

  /** @param buffer of the other side; without it, a new one */
  constructor(buffer = new SharedArrayBuffer(HEADER_BYTES + RING_BYTES)) {
    this.buffer = buffer;
    this.#header = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.#words = new Uint32Array(buffer, HEADER_BYTES);
    this.#times = new Float64Array(buffer, HEADER_BYTES);
    this.#text = Buffer.from(buffer, HEADER_BYTES);
  }

  /** Worker: writes the results of a call. Returns false when they must travel in a message. */
  write(position: number, inferMs: number, results: readonly WorkerResult[]): boolean {
    let limit = RECORD_HEADER;
    const texts: string[] = [];
    for (const result of results) {
      if (result.audio !== undefined || result.state !== undefined) return false;
      // Of an output, only its text is written.
      if (result.outputJson !== undefined && (result.opened ?? result.endpoint)) return false;
      const text = textOf(result);
      limit += RESULT_HEADER * 2 + BYTES_PER_CHARACTER * text.length;
      // Before more of a large result is encoded.
      if (limit > RING_BYTES) return false;
      texts.push(text);
    }
    const start = this.#reserve(align(limit));
    if (start < 0) return false;
    let at = start + RECORD_HEADER;
    for (const [i, text] of texts.entries()) {
      const length = text === "" ? 0 : this.#text.write(text, at + RESULT_HEADER);
      this.#words[at / 4] = ((kindOf(results[i]!) << KIND_SHIFT) | length) >>> 0;
      at = alignWord(at + RESULT_HEADER + length);
    }
    const end = align(at);
    this.#words[start / 4] = end - start;
    this.#words[start / 4 + 1] = position | (results.length << 16);
    this.#times[start / 8 + 1] = inferMs;
    Atomics.add(this.#header, WRITTEN, end - start);
    return true;
  }

  /** Worker: returns true when the host needs a message to read what was written. */
  signal(): boolean {
    return Atomics.exchange(this.#header, SIGNALLED, 1) === 0;
  }

  /** Host: reads all results. */
  read(): CallEnd[] {
    Atomics.store(this.#header, SIGNALLED, 0);
    const ends: CallEnd[] = [];
    let read = Atomics.load(this.#header, READ);
    while (read !== Atomics.load(this.#header, WRITTEN)) {
      const start = read & (RING_BYTES - 1);
      const size = this.#words[start / 4]!;
      if (size === SKIP) read = (read + RING_BYTES - start) | 0;
      else {
        ends.push(this.#readRecord(start));
        read = (read + size) | 0;
      }
    }
    Atomics.store(this.#header, READ, read);
    return ends;
  }

  /** Returns the place of a record of so many bytes, or -1 when there is no room. */
  #reserve(size: number): number {
    const written = Atomics.load(this.#header, WRITTEN);
    const free = RING_BYTES - ((written - Atomics.load(this.#header, READ)) >>> 0);
    const start = written & (RING_BYTES - 1);
    const rest = RING_BYTES - start;
    if (size <= rest) return size <= free ? start : -1;
    if (rest + size > free) return -1;
    this.#words[start / 4] = SKIP;
    Atomics.add(this.#header, WRITTEN, rest);
    return 0;
  }

  #readRecord(start: number): CallEnd {
    const numbers = this.#words[start / 4 + 1]!;
    const results: JobResult[] = [];
    let at = start + RECORD_HEADER;
    for (let count = numbers >>> 16; count > 0; count--) {
      const word = this.#words[at / 4]!;
      const [kind, length] = [word >>> KIND_SHIFT, word & LENGTH_MASK];
      at += RESULT_HEADER;
      results.push(resultOf(kind, kind === NOTHING ? "" : this.#text.toString("utf8", at, at + length)));
      at = alignWord(at + length);
    }
    return { position: numbers & 0xffff, inferMs: this.#times[start / 8 + 1]!, results };
  }
}

function kindOf({ outputJson, ...rest }: WorkerResult): number {
  if (outputJson !== undefined) return OUTPUT;
  return Object.keys(rest).length === 0 ? NOTHING : WHOLE;
}

function textOf(result: WorkerResult): string {
  if (result.outputJson !== undefined) return result.outputJson;
  return kindOf(result) === NOTHING ? "" : JSON.stringify(result);
}

function resultOf(kind: number, text: string): JobResult {
  if (kind === NOTHING) return {};
  if (kind === OUTPUT) return { output: JSON.parse(text) as Record<string, unknown> };
  return JSON.parse(text) as JobResult;
}

function align(bytes: number): number {
  return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
}

function alignWord(bytes: number): number {
  return (bytes + 3) & -4;
}
