import { Arrivals } from "./arrivals.ts";
import type { Demand, LoadSource, Shortage } from "./demand.ts";
import { type ExpectedLoad, KindLoad } from "./kind-load.ts";
import { ModelLoad, type ModelSize } from "./model-load.ts";
import { StreamLoad } from "./stream-load.ts";
import { ThreadLoad, type ThreadTotals } from "./thread-load.ts";

/** Share of the permitted load from which on a saturated main thread is taken to be so because of its streams. */
const SATURATED_SHARE = 0.6;
/** Samples of the main thread for one of the streams. */
const STREAMS_EVERY = 5;

export interface HeadroomLimits {
  /** Share of the memory in use up to which streams begin. */
  readonly arena: number;
  /** Milliseconds. Longest wait for a worker at which streams begin. */
  readonly waitMs: number;
  /** Share of the workers' time, and of the main thread's, that open streams may need at most for another one to begin. */
  readonly load: number;
}

/** The memory, as far as its size goes. */
export interface Slabs {
  readonly used: number;
  readonly capacity: number;
}

/**
 * Load expected of one channel of a pattern.
 * @param callS seconds that a call takes
 * @param isPinned the model gets each sample once: calls take time by the audio that they have
 */
export type Expect = (pattern: string, callS: number, isPinned: boolean) => ExpectedLoad;

/** Streams that each resource could carry, with the load as it is. Undefined: not known yet. */
export interface CarriedStreams {
  readonly event_loop: number | undefined;
  readonly workers: number | undefined;
  readonly memory: number | undefined;
}

/**
 * Decides whether another stream may begin, so that those inside keep their memory and their latency: by what all open
 * streams are expected to need, also those that have just come, and not only by what is used up at the moment. Times
 * are passed in; `sample` is to be called about ten times a second.
 */
export class Headroom {
  readonly #limits: HeadroomLimits;
  readonly #slabs: Slabs;
  readonly #expect: Expect;
  readonly #thread = new ThreadLoad();
  readonly #models = new Map<string, ModelLoad>();
  readonly #kinds = new Map<string, { readonly model: string; readonly load: KindLoad }>();
  readonly #streams = new Set<StreamLoad>();
  readonly #arrivals = new Arrivals();
  /** Slabs that streams still miss which have begun a short time ago. */
  #missing = 0;
  #samples = 0;
  #sampledAt = 0;
  #carried: CarriedStreams = { event_loop: undefined, workers: undefined, memory: undefined };

  constructor(limits: HeadroomLimits, slabs: Slabs, expect: Expect) {
    this.#limits = limits;
    this.#slabs = slabs;
    this.#expect = expect;
  }

  /** Streams that each resource could carry. Without load the last estimate stays. */
  get carried(): CarriedStreams {
    return this.#carried;
  }

  /** Share of time in which the main thread worked or waited for a processor. */
  get occupancy(): number {
    return this.#thread.occupancy;
  }

  modelLoaded(name: string, size: ModelSize): void {
    this.#models.set(name, new ModelLoad(size));
  }

  /** Why a stream may not begin now; undefined: it may. One that would be alone always may. */
  shortage(demand: Demand): Shortage | undefined {
    return (
      this.#memoryShortage(demand) ??
      this.#placeShortage(demand) ??
      this.#workerShortage(demand) ??
      this.#threadShortage()
    );
  }

  /** A stream is about to come. Returns a function to call when it has come or will not. @param now milliseconds */
  expect(demand: Demand, now: number): () => void {
    this.#thread.entered();
    return this.#arrivals.add(this.#kindOf(demand), demand.channels, now);
  }

  /** A stream has begun. @param now milliseconds */
  enter(demand: Demand, source: LoadSource, now: number): StreamLoad {
    const kind = this.#kindOf(demand);
    kind.channels += demand.channels;
    this.#thread.entered();
    const stream = new StreamLoad(demand, source, kind, this.#modelOf(demand.model).wait, now);
    this.#streams.add(stream);
    this.#missing += stream.missing;
    return stream;
  }

  leave(stream: StreamLoad): void {
    if (!this.#streams.delete(stream)) return;
    stream.kind.channels -= stream.demand.channels;
    this.#missing -= stream.missing;
  }

  /** Takes a sample. @param now milliseconds */
  sample(now: number, thread: ThreadTotals): void {
    this.#thread.sample(now, thread, this.#streams.size);
    if (this.#samples++ % STREAMS_EVERY > 0) return;
    this.#arrivals.sweep(now);
    this.#sampleStreams(now, (now - this.#sampledAt) / 1000);
    this.#sampledAt = now;
    this.#estimate();
  }

  get #count(): number {
    return this.#streams.size + this.#arrivals.size;
  }

  #memoryShortage({ pattern, model, channels }: Demand): Shortage | undefined {
    const { used, capacity } = this.#slabs;
    const limit = capacity * this.#limits.arena;
    if (this.#count === 0 || this.#limits.arena >= 1) return undefined;
    const needed = channels * this.#kindOf({ pattern, model, channels }).hold;
    const all = Math.max(used + this.#missing + this.#arrivals.slabs, this.#usualSlabs) + needed;
    if (all <= limit) return undefined;
    return { resource: "memory", needed: all, allowed: limit, message: "the server's memory for audio is in use" };
  }

  /** Slabs that all streams together hold at times of much speech. */
  get #usualSlabs(): number {
    let slabs = 0;
    for (const { load } of this.#kinds.values()) slabs += load.channels * load.hold;
    return slabs;
  }

  #placeShortage({ model, channels }: Demand): Shortage | undefined {
    const { open, allowed } = this.#modelOf(model).places ?? { open: 0, allowed: Infinity };
    if (open + channels <= allowed) return undefined;
    const message = `model "${model}" has ${open} of ${allowed} streams open (max_streams_per_worker)`;
    return { resource: "streams", needed: open + channels, allowed, message };
  }

  #workerShortage(demand: Demand): Shortage | undefined {
    const { model: name, channels } = demand;
    const model = this.#modelOf(name);
    const kind = this.#kindOf(demand);
    const offered = this.#offered(name);
    const needed = offered + channels * kind.compute;
    const allowed = this.#limits.load * model.workers;
    if (offered > 0 && needed > allowed) {
      return { resource: "workers", needed, allowed, message: `the workers of model "${name}" are in use` };
    }
    const { waitMs } = this.#limits;
    const { ms } = model.wait;
    if (ms <= waitMs) return undefined;
    return { resource: "wait", needed: ms, allowed: waitMs, message: `results of model "${name}" are late` };
  }

  /** Seconds of workers that all streams of a model ask for in a second. */
  #offered(model: string): number {
    let seconds = 0;
    for (const kind of this.#kinds.values()) {
      if (kind.model === model) seconds += kind.load.channels * kind.load.compute;
    }
    return seconds;
  }

  #threadShortage(): Shortage | undefined {
    if (this.#count === 0) return undefined;
    // A client that floods the server, or a file at full speed, makes the thread busy, but takes turns with others.
    const allowed = this.#limits.load * (this.#thread.saturated ? SATURATED_SHARE : 1);
    const needed = this.#thread.demand(this.#count + 1);
    if (needed <= allowed) return undefined;
    return {
      resource: "main_thread",
      needed,
      allowed,
      message: "the server has no processor time left for another stream",
    };
  }

  #sampleStreams(now: number, seconds: number): void {
    let missing = 0;
    const totals = new Map<KindLoad, { slabs: number; channels: number; answered: number }>();
    const waiting = new Map<string, number>();
    for (const { load } of this.#kinds.values()) totals.set(load, { slabs: 0, channels: 0, answered: 0 });
    for (const stream of this.#streams) {
      const total = totals.get(stream.kind)!;
      const { model, channels } = stream.demand;
      total.answered += stream.takeAnswered();
      if (stream.mature(now)) {
        total.slabs += stream.slabs;
        total.channels += channels;
      }
      missing += stream.missing;
      const waitingMs = stream.waitingMs(now);
      if (waitingMs !== undefined) waiting.set(model, Math.min(waiting.get(model) ?? Infinity, waitingMs));
    }
    this.#missing = missing;
    for (const [load, { slabs, channels, answered }] of totals) load.sample(slabs, channels, answered, seconds);
    for (const [name, { wait }] of this.#models) wait.update(now, waiting.get(name));
  }

  #estimate(): void {
    const streams = this.#streams.size;
    if (streams === 0) return;
    const { load, arena } = this.#limits;
    const used = [...this.#models].map(([name, model]) => model.shareUsed(this.#offered(name), load));
    const most = Math.max(0, ...used);
    const count = this.#count;
    this.#carried = {
      event_loop: this.#thread.measured ? this.#thread.streams(load) : this.#carried.event_loop,
      workers: most > 0 ? count / most : this.#carried.workers,
      memory: (count * this.#slabs.capacity * arena) / this.#usualSlabs,
    };
  }

  #kindOf({ pattern, model }: Demand): KindLoad {
    const key = `${pattern}\0${model}`;
    let kind = this.#kinds.get(key);
    if (kind === undefined) {
      const { leastStreams, expectedCallS, isPinned } = this.#modelOf(model);
      const { hold, compute } = this.#expect(pattern, expectedCallS, isPinned);
      const most = this.#limits.load / leastStreams;
      kind = { model, load: new KindLoad({ hold, compute: Math.min(compute, most) }) };
      this.#kinds.set(key, kind);
    }
    return kind.load;
  }

  #modelOf(name: string): ModelLoad {
    let model = this.#models.get(name);
    if (model === undefined) {
      model = new ModelLoad({ workers: 1, warmUpMs: 0, warmedByCall: false });
      this.#models.set(name, model);
    }
    return model;
  }
}
