import { Link, LinkedList } from "../lib/linked-list.ts";

interface Waiter {
  readonly wake: () => void;
  readonly slabs: number;
}

/** The one shared memory that all buffered audio lives in: f32 samples in slabs of `Arena.SLAB_SAMPLES`.
 *
 *  Sample i of slab s is `samples[s * Arena.SLAB_SAMPLES + i]`. Workers get `buffer` once and read slabs by number.
 *  A slab is reference counted: 1 when taken, freed at 0. The counts live on the thread that owns the arena; workers never
 *  touch them. The slab freed last is taken first, since its memory is the likeliest to be in the processor's cache. */
export class Arena {
  static readonly SLAB_SAMPLES = 4096;

  readonly buffer: SharedArrayBuffer;
  readonly samples: Float32Array;
  readonly capacity: number;

  readonly #references: Uint32Array;
  readonly #free: Uint32Array;
  #freeCount: number;
  readonly #waiters = new LinkedList<Waiter>();
  #wakeScheduled = false;

  /** @param slabCount 1 or more; the arena holds `slabCount * 16` KiB for its whole life. */
  constructor(slabCount: number) {
    if (!Number.isSafeInteger(slabCount) || slabCount < 1) {
      throw new RangeError(`an arena has 1 slab or more, not ${slabCount}`);
    }
    this.capacity = slabCount;
    this.buffer = new SharedArrayBuffer(slabCount * Arena.SLAB_SAMPLES * Float32Array.BYTES_PER_ELEMENT);
    this.samples = new Float32Array(this.buffer);
    this.#references = new Uint32Array(slabCount);
    this.#free = new Uint32Array(slabCount);
    // Slab 0 on top, so that a quiet server touches the beginning of the memory only.
    for (let i = 0; i < slabCount; i++) this.#free[i] = slabCount - 1 - i;
    this.#freeCount = slabCount;
  }

  /** Slabs with at least one reference. */
  get used(): number {
    return this.capacity - this.#freeCount;
  }

  /** Waiters in line for free slabs. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** A slab with one reference, or -1 when the arena is full. Its samples are whatever was there before. */
  take(): number {
    if (this.#freeCount === 0) return -1;
    const slab = this.#free[--this.#freeCount]!;
    this.#references[slab] = 1;
    return slab;
  }

  /** Adds a reference to a slab that somebody already holds. */
  retain(slab: number): void {
    this.#held(slab);
    this.#references[slab]!++;
  }

  /** Gives a reference back. Releasing a slab that nobody holds is an error of the caller and throws. */
  release(slab: number): void {
    this.#held(slab);
    if (--this.#references[slab]! > 0) return;
    this.#free[this.#freeCount++] = slab;
    this.#scheduleWake();
  }

  /** The number of references to a slab; 0 when it is free. */
  references(slab: number): number {
    return this.#references[slab] ?? 0;
  }

  /** Calls `wake` once, in a microtask, when it is first in line and at least `slabs` are free.
   *
   *  First come, first served: nobody is woken past a waiter who wants more, and one wake takes what it needs before the
   *  next is woken. Who finds too little when woken waits again, at the end of the line.
   *  @returns a function that leaves the line. */
  whenFree(wake: () => void, slabs = 1): () => void {
    if (!(slabs >= 1 && slabs <= this.capacity)) {
      throw new RangeError(`one can wait for 1 to ${this.capacity} slabs, not ${slabs}`);
    }
    const link = new Link<Waiter>({ wake, slabs });
    this.#waiters.append(link);
    this.#scheduleWake();
    return () => {
      // The next in line may want less than the one who left.
      if (this.#waiters.remove(link)) this.#scheduleWake();
    };
  }

  #held(slab: number): void {
    if (!(this.#references[slab]! > 0)) throw new Error(`slab ${slab} is not held by anyone`);
  }

  #scheduleWake(): void {
    if (this.#wakeScheduled || !this.#headFits()) return;
    this.#wakeScheduled = true;
    queueMicrotask(() => {
      this.#wakeScheduled = false;
      if (!this.#headFits()) return;
      const waiter = this.#waiters.shift()!;
      // One waiter a microtask: what it takes counts before the next is woken, and its throw stops nobody else.
      this.#scheduleWake();
      waiter.wake();
    });
  }

  #headFits(): boolean {
    const first = this.#waiters.first;
    return first !== undefined && this.#freeCount >= first.slabs;
  }
}
