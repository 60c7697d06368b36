import type { JobMessage } from "./messages.ts";

/** Calls that fit: one that runs and those ahead. A power of two. */
const CAPACITY = 128;
/** Words of a call in shared memory. A call that is larger, or has state, travels as a message. */
const CALL_WORDS = 192;
const HEADER_WORDS = 4;
/** Positions count calls modulo 2^16. */
const POSITION_MASK = 0xffff;

// Words of the header.
/** Position of the next call to take, and above it, that of the next one to be queued. */
const ENDS = 0;
/** 1: the worker waits for a message. */
const ASLEEP = 1;
/** Messages that the host has posted. */
const POSTED = 2;
/** Position of the first call whose result the host has not had. */
const ANSWERED = 3;

const BY_MESSAGE = 0xffff;
const JOB_WORDS = 8;
/** In place of the number of an utterance. */
const NO_UTTERANCE = -1;
const WORD = 2 ** 32;
/** Length of a W3C trace context of version 0, in characters and in words. */
const TRACE_LENGTH = 55;
const TRACE_WORDS = Math.ceil(TRACE_LENGTH / 4);

const FINAL = 1;
const TRACED = 2;
const STEP_SHIFT = 2;
const STEPS = [undefined, "start", "step", "finish", "dispose"] as const;

/** A call that the worker has taken. */
export interface TakenCall {
  readonly position: number;
  /** Undefined: they came in a message. */
  readonly jobs: readonly JobMessage[] | undefined;
}

/**
 * Calls on their way from a host to its worker, in shared memory, so that the worker takes its next call without the
 * main thread. Calls are numbers: no text, no structured clone.
 *
 * A call is _queued_ until the worker has _taken_ it or the host has _withdrawn_ it. The worker takes the first, the
 * host withdraws the last. Both change one word by compare-and-swap, which has both ends of the queue, so that each call
 * has exactly one end. A call without jobs fills a position, and has no result.
 *
 * The worker never blocks here, because no message would reach it. When it finds no call it falls asleep, which means
 * that it waits for a message; the host posts one when it has queued a call and `wake` returns true. Messages that belong
 * to a call, such as the options of its lane, are posted before it is queued. When the worker has taken a call, it first
 * receives every message that the host has posted until then.
 */
export class CallRing {
  static readonly CAPACITY = CAPACITY;

  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  /** The same memory as bytes: little-endian, as all platforms are. */
  readonly #bytes: Uint8Array;
  /** Messages that the worker has received. */
  #received = 0;

  /** @param buffer of the other side; without it, a new one */
  constructor(buffer = new SharedArrayBuffer((HEADER_WORDS + CAPACITY * CALL_WORDS) * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
  }

  /** Host: returns true if the jobs of a call fit. Otherwise they travel in a message, posted before `push`. */
  static fits(jobs: readonly JobMessage[]): boolean {
    let words = 1;
    for (const { slabs, state, traceparent } of jobs) {
      if (state !== undefined) return false;
      if (traceparent !== undefined && traceparent.length !== TRACE_LENGTH) return false;
      words += JOB_WORDS + slabs.length + (traceparent === undefined ? 0 : TRACE_WORDS);
    }
    return words <= CALL_WORDS;
  }

  /** Host: queues a call, of which there may be `CAPACITY` that were not taken. Returns its position. */
  push(jobs: readonly JobMessage[] | undefined): number {
    const position = Atomics.load(this.#words, ENDS) >>> 16;
    this.#write(position, jobs);
    let ends: number;
    do ends = Atomics.load(this.#words, ENDS);
    while (!this.#moveEnds(ends, ends & POSITION_MASK, position + 1));
    return position;
  }

  /** Calls that were neither taken nor withdrawn. */
  get queued(): number {
    const ends = Atomics.load(this.#words, ENDS);
    return ((ends >>> 16) - ends) & POSITION_MASK;
  }

  /** Returns whether the call at a position was neither taken nor withdrawn. */
  isQueued(position: number): boolean {
    const ends = Atomics.load(this.#words, ENDS);
    return ((position - ends) & POSITION_MASK) < (((ends >>> 16) - ends) & POSITION_MASK);
  }

  /** Position of the next call that is queued. */
  get nextPosition(): number {
    return Atomics.load(this.#words, ENDS) >>> 16;
  }

  /** Position of the last call that was queued and not withdrawn. */
  get lastPosition(): number {
    return (this.nextPosition - 1) & POSITION_MASK;
  }

  /** Host: takes back the last call. Returns false when there is none that the worker has not taken. */
  withdraw(): boolean {
    for (;;) {
      const ends = Atomics.load(this.#words, ENDS);
      const [first, end] = [ends & POSITION_MASK, ends >>> 16];
      if (first === end) return false;
      if (this.#moveEnds(ends, first, end - 1)) return true;
    }
  }

  /** Host: returns true once when the worker sleeps and there is a call: it needs a message. */
  wake(): boolean {
    return this.queued > 0 && Atomics.compareExchange(this.#words, ASLEEP, 1, 0) === 1;
  }

  /** Host: counts a message. To be called before it is posted. */
  countPosted(): void {
    Atomics.add(this.#words, POSTED, 1);
  }

  /** Host: the results of all calls before this position have come. */
  setAnswered(position: number): void {
    Atomics.store(this.#words, ANSWERED, position);
  }

  /** Worker: returns true if the result of the call at this position has come to the host. */
  isAnswered(position: number): boolean {
    // Half of the circle lies behind.
    return ((Atomics.load(this.#words, ANSWERED) - position - 1) & POSITION_MASK) < (POSITION_MASK + 1) / 2;
  }

  /** Worker: counts a message. To be called when it has been received. */
  countReceived(): void {
    this.#received = (this.#received + 1) | 0;
  }

  /** Worker: a message is on its way. It may belong to a call that has been taken. */
  get messageWaits(): boolean {
    return Atomics.load(this.#words, POSTED) !== this.#received;
  }

  /** Worker: takes the next call; undefined: there is none. */
  take(): TakenCall | undefined {
    for (;;) {
      const ends = Atomics.load(this.#words, ENDS);
      const [first, end] = [ends & POSITION_MASK, ends >>> 16];
      if (first === end) return undefined;
      if (this.#moveEnds(ends, first + 1, end)) return { position: first, jobs: this.#read(first) };
    }
  }

  /** Worker: falls asleep until the next message. Returns false when there is a call or a message. */
  sleep(): boolean {
    Atomics.store(this.#words, ASLEEP, 1);
    if (this.queued === 0) return true;
    // The host may have seen that the worker sleeps: then its message comes.
    return Atomics.compareExchange(this.#words, ASLEEP, 1, 0) === 0;
  }

  #moveEnds(ends: number, first: number, end: number): boolean {
    const moved = (first & POSITION_MASK) | (end << 16);
    return Atomics.compareExchange(this.#words, ENDS, ends, moved) === ends;
  }

  #write(position: number, jobs: readonly JobMessage[] | undefined): void {
    const words = this.#words;
    let at = firstWord(position);
    words[at++] = jobs?.length ?? BY_MESSAGE;
    for (const { lane, final, slabs, offset, length, start, utterance, step, traceparent } of jobs ?? []) {
      const traced = traceparent === undefined ? 0 : TRACED;
      words[at++] = lane;
      words[at++] = (final ? FINAL : 0) | traced | (STEPS.indexOf(step) << STEP_SHIFT);
      words[at++] = offset;
      words[at++] = length;
      words[at++] = start % WORD;
      words[at++] = start / WORD;
      words[at++] = utterance ?? NO_UTTERANCE;
      words[at++] = slabs.length;
      for (const slab of slabs) words[at++] = slab;
      if (traceparent === undefined) continue;
      for (let i = 0; i < TRACE_LENGTH; i++) this.#bytes[4 * at + i] = traceparent.charCodeAt(i);
      at += TRACE_WORDS;
    }
  }

  #read(position: number): JobMessage[] | undefined {
    const words = this.#words;
    let at = firstWord(position);
    const count = words[at++]!;
    if (count === BY_MESSAGE) return undefined;
    const jobs: JobMessage[] = [];
    for (let i = 0; i < count; i++) {
      const flags = words[at + 1]!;
      const [lane, offset, length] = [words[at]!, words[at + 2]!, words[at + 3]!];
      const start = (words[at + 4]! >>> 0) + words[at + 5]! * WORD;
      const [utterance, slabCount] = [words[at + 6]!, words[at + 7]!];
      at += JOB_WORDS;
      const slabs: number[] = [];
      for (const end = at + slabCount; at < end; at++) slabs.push(words[at]!);
      const step = STEPS[flags >> STEP_SHIFT];
      const job: JobMessage = {
        ...{ lane, final: (flags & FINAL) !== 0, slabs, offset, length, start },
        ...(utterance !== NO_UTTERANCE && { utterance }),
        ...(step && { step }),
      };
      if ((flags & TRACED) === 0) {
        jobs.push(job);
        continue;
      }
      jobs.push({ ...job, traceparent: String.fromCharCode(...this.#bytes.subarray(4 * at, 4 * at + TRACE_LENGTH)) });
      at += TRACE_WORDS;
    }
    return jobs;
  }
}

/** Index of the first word of a call. */
function firstWord(position: number): number {
  return HEADER_WORDS + (position & (CAPACITY - 1)) * CALL_WORDS;
}
