import { Link, LinkedList } from "../lib/linked-list.ts";
import { ArenaMemory, SLAB_SAMPLES } from "../native/arena.ts";
import { FreeSlabs } from "./free-slabs.ts";

/** Place of a span of audio in the arena. */
export interface AudioSpan {
  /** Slab numbers in order. */
  readonly slabs: readonly number[];
  /** Index of the first sample in the first slab, 0 .. Arena.SLAB_SAMPLES - 1. */
  readonly offset: number;
  /** Samples. */
  readonly length: number;
}

interface Waiter {
  readonly wake: () => void;
  /** Free slabs that the waiter needs. */
  readonly slabs: number;
}

/**
 * The memory of all buffered audio: f32 samples in slabs of `Arena.SLAB_SAMPLES`. Sample i of slab s has the index
 * `s * Arena.SLAB_SAMPLES + i` in `samples`. Workers get the address once and read slabs by number.
 *
 * Slabs are reference counted: 1 when taken, free at 0. The counts live on the thread that owns the arena; workers
 * never touch them. A slab occupies memory from its first use until it is given back.
 */
export class Arena implements Disposable {
  static readonly SLAB_SAMPLES = SLAB_SAMPLES;
  static readonly SLABS_PER_MIB = 64;

  readonly samples: ArenaMemory;
  readonly capacity: number;

  readonly #references: Uint32Array;
  readonly #free: FreeSlabs;
  readonly #waiters = new LinkedList<Waiter>();
  #wakeScheduled = false;

  /** @param slabCount 1 to MAX_SLABS, of 16 KiB each. Throws RangeError. */
  constructor(slabCount: number) {
    this.samples = new ArenaMemory(slabCount);
    this.capacity = slabCount;
    this.#references = new Uint32Array(slabCount);
    this.#free = new FreeSlabs(slabCount);
  }

  /** Slabs with at least one reference. */
  get used(): number {
    return this.capacity - this.#free.count;
  }

  /** Callers of `whenFree` that have not been woken. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Takes a free slab and returns its number, or -1 when the arena is full. Its samples are left over from earlier use, or 0.
   */
  take(): number {
    const slab = this.#free.take();
    if (slab >= 0) this.#references[slab] = 1;
    return slab;
  }

  /** Adds a reference to a slab. Throws when the slab is free. */
  retain(slab: number): void {
    this.#checkTaken(slab);
    this.#references[slab]!++;
  }

  /** Removes a reference to a slab. Throws when the slab is free. */
  release(slab: number): void {
    this.#checkTaken(slab);
    if (--this.#references[slab]! > 0) return;
    this.#free.add(slab);
    this.#scheduleWake();
  }

  /** Adds a reference to each slab of a span, or to none when one is free: then it throws. */
  retainSpan({ slabs }: AudioSpan): void {
    let retained = 0;
    try {
      for (const slab of slabs) {
        this.retain(slab);
        retained++;
      }
    } catch (error) {
      for (const slab of slabs.slice(0, retained)) this.release(slab);
      throw error;
    }
  }

  /** Removes a reference from each slab of a span. */
  releaseSpan({ slabs }: AudioSpan): void {
    for (const slab of slabs) this.release(slab);
  }

  /** The number of references to a slab; 0 when it is free. */
  references(slab: number): number {
    return this.#references[slab] ?? 0;
  }

  /**
   * Calls `wake` once, in a microtask, as soon as it is first in the queue and at least `slabs` slabs are free. The
   * queue is first in, first out, also when a later waiter needs less. A waiter takes its slabs before the next one is
   * woken; one that finds too few slabs queues again.
   * @param slabs 1 to `capacity`, else RangeError
   * @returns a function that leaves the queue
   */
  whenFree(wake: () => void, slabs = 1): () => void {
    if (!(slabs >= 1 && slabs <= this.capacity)) {
      throw new RangeError(`arena: a wait for ${slabs} slabs, not for 1 to ${this.capacity}`);
    }
    const link = new Link<Waiter>({ wake, slabs });
    this.#waiters.append(link);
    this.#scheduleWake();
    return () => {
      // The next waiter may need fewer slabs than the one that left.
      if (this.#waiters.remove(link)) this.#scheduleWake();
    };
  }

  /** Bytes that the slabs occupy, as the system counts them: those in use, and those not given back. */
  get residentBytes(): number {
    return this.samples.residentBytes;
  }

  /** Begins a period of the watch for slabs that are not used. */
  beginPeriod(): void {
    this.#free.beginPeriod();
  }

  /**
   * Gives the memory of up to `most` slabs that were free during the whole of the last period back to the system, except
   * for `reserve` slabs. Returns whether there are more.
   */
  giveBack(most: number, reserve: number): boolean {
    const slabs = this.#free.coolDown(Math.min(most, this.#free.idle - reserve));
    for (let i = 0, run = 1; i < slabs.length; i += run, run = 1) {
      while (slabs[i + run] === slabs[i]! + run) run++;
      this.samples.giveBack(slabs[i]!, run);
    }
    return this.#free.idle > reserve;
  }

  /** Frees the memory now. No thread may read it any more. */
  [Symbol.dispose](): void {
    this.samples[Symbol.dispose]();
  }

  #checkTaken(slab: number): void {
    if (!(this.#references[slab]! > 0)) throw new Error(`arena: slab ${slab} is free`);
  }

  #scheduleWake(): void {
    if (this.#wakeScheduled || !this.#headFits()) return;
    this.#wakeScheduled = true;
    queueMicrotask(() => {
      this.#wakeScheduled = false;
      if (!this.#headFits()) return;
      const waiter = this.#waiters.shift()!;
      // One waiter a microtask: its slabs are taken before the next is woken, and what it throws stops no other waiter.
      this.#scheduleWake();
      waiter.wake();
    });
  }

  #headFits(): boolean {
    const first = this.#waiters.first;
    return first !== undefined && this.#free.count >= first.slabs;
  }
}
