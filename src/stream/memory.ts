import type { Arena } from "../audio/arena.ts";
import type { Holder } from "./holder.ts";
import { type ShareLimits, Shares } from "./shares.ts";
import { chooseVictims } from "./shedding.ts";
import { WaitingLine } from "./waiting-line.ts";

/** Time for which a stream waits before the memory is judged by how fast the line moves. */
const STARVED_MS = 2_000;
/** Share of the memory that is free after streams had to be ended, so that the others need not wait again at once. */
const FREE_AFTER_SHEDDING = 0.2;
/** Largest share of a small memory that is the reserve. */
const MAX_RESERVE = 1 / 8;

const FULL = "the server's memory for audio is full";
const SHARE = "this stream has used up its share of the server's memory for audio";

export interface MemoryLimits {
  /** Slabs of one utterance of full length, which are kept for one waiting stream at a time; default 0. */
  readonly reserve?: number;
  /** Default: none. */
  readonly shares?: ShareLimits;
  /** Time at which the memory is opened, in milliseconds of the clock of `check`; default 0. */
  readonly openedAt?: number;
  /** Streams are ended. */
  readonly shed?: (streams: number, slabs: number) => void;
}

/**
 * The arena, shared out among streams. While there is room each takes what it needs. When there is none, streams wait,
 * and one of them at a time has the grant: it may use up the reserve too, until its results free what it holds. The
 * grant goes to the stream that is nearest to its next result, so memory comes back as soon as possible.
 *
 * When even that does not help, streams are ended, the newest and largest first, as many as it takes: when all results
 * on the way would not free enough for one step of the next stream, or when the line stands still.
 */
export class Memory {
  readonly #arena: Arena;
  readonly #reserve: number;
  readonly #shed: (streams: number, slabs: number) => void;
  /** The oldest first. */
  readonly #holders = new Set<Holder>();
  readonly #line = new WaitingLine();
  readonly #shares: Shares;
  /** Slabs for streams that have been woken and have not taken them yet. */
  readonly #promised = new Map<Holder, number>();
  #promisedSlabs = 0;
  #grant: { readonly holder: Holder; readonly answered: number; used: boolean } | undefined;
  #cancelWake: (() => void) | undefined;
  /** The last check found that the next stream could never go on. */
  #blocked: Holder | undefined;
  /** Time of the last check, in milliseconds. */
  #now: number;

  constructor(arena: Arena, { reserve = 0, shares, openedAt = 0, shed = () => {} }: MemoryLimits = {}) {
    this.#arena = arena;
    this.#reserve = Math.min(reserve, Math.floor(arena.capacity * MAX_RESERVE));
    this.#shares = new Shares(shares ?? { session: Infinity, caller: Infinity }, this.#holders);
    this.#shed = shed;
    this.#now = openedAt;
  }

  /** Streams that are open. */
  get streams(): number {
    return this.#holders.size;
  }

  /** Streams that wait for slabs. */
  get waiting(): number {
    return this.#line.size + this.#shares.waiting;
  }

  enter(holder: Holder): void {
    this.#holders.add(holder);
  }

  leave(holder: Holder): void {
    this.#holders.delete(holder);
    this.#shares.leave(holder);
    this.#keepPromise(holder);
    if (this.#grant?.holder === holder) this.#grant = undefined;
    this.#line.remove(holder);
    this.#arm();
  }

  /** Returns whether the stream may take so many slabs now. If not, it is to call `wait`. */
  permits(holder: Holder, slabs: number): boolean {
    const promised = this.#keepPromise(holder);
    if (this.#shares.exceeded(holder, slabs) !== undefined) return false;
    const free = this.#free();
    if (this.#grant?.holder === holder) {
      if (free < slabs) return false;
      this.#grant.used = true;
    } else if (promised) {
      if (free < slabs) return false;
    } else if (this.#line.size > 0 || free - slabs < this.#reserve + this.#promisedSlabs) return false;
    this.#shares.taken(holder, slabs);
    return true;
  }

  /** Calls `wake` once, later, when the stream may take its next slabs. A stream has one place in the line. */
  wait(holder: Holder, wake: () => void): void {
    if (this.#shares.exceeded(holder, holder.step) !== undefined) return this.#shares.wait(holder, wake);
    if (this.#line.add(holder, wake, this.#now)) this.#arm();
  }

  /** Passes the grant on, and ends streams when the others could not go on. A few times a second. @param now ms */
  check(now: number): void {
    this.#now = now;
    for (const holder of this.#shares.check()) holder.evict(SHARE);
    if (this.#line.size === 0) return void (this.#blocked = undefined);
    // A client that has stopped sending must not keep the reserve from others.
    if (this.#grant !== undefined && !this.#grant.used && !this.#line.has(this.#grant.holder)) this.#grant = undefined;
    if (this.#grant !== undefined) this.#grant.used = false;
    this.#line.sort(now);
    this.#arm();
    const next = this.#next();
    const coming = this.#coming();
    if (next !== undefined && !this.#relieve(next.holder, next.slabs, coming)) this.#relieveLine(coming);
  }

  /** Ends streams if the next one could not take a step though everything under way were answered. */
  #relieve(next: Holder, slabs: number, coming: number): boolean {
    const isBlocked = this.#line.has(next) && this.#grant?.holder === next && coming < slabs;
    const wasBlocked = this.#blocked === next;
    this.#blocked = isBlocked ? next : undefined;
    // A terminated worker frees its slabs a moment later, so that the second check in a row counts.
    if (!isBlocked || !wasBlocked) return isBlocked;
    this.#blocked = undefined;
    const most = Math.max(this.#reserve, Math.floor(this.#arena.capacity * MAX_RESERVE));
    this.#end(Math.max(slabs, Math.min(next.remaining, most)) - coming, next);
    return true;
  }

  /** Ends streams if the line stands still: everybody needs a step, and less than that is under way. */
  #relieveLine(coming: number): void {
    const wanted = this.#line.steps;
    if (!this.#line.standsStill(this.#now - STARVED_MS) || coming >= wanted + this.#reserve) return;
    this.#line.restart(this.#now);
    this.#end(wanted + Math.ceil(this.#arena.capacity * FREE_AFTER_SHEDDING) - coming, this.#grant?.holder);
  }

  #end(slabs: number, kept: Holder | undefined): void {
    // A stream that could not reach its end with all of the memory is treated like any other.
    const fits = kept !== undefined && kept.slabs + kept.remaining <= this.#arena.capacity;
    const victims = chooseVictims(this.#holders, slabs, fits ? kept : undefined);
    const freed = victims.reduce((sum, victim) => sum + victim.slabs, 0);
    this.#shed(victims.length, freed);
    for (const victim of victims) victim.evict(FULL);
  }

  #free(): number {
    return this.#arena.capacity - this.#arena.used;
  }

  /** Slabs that are free, or will be when everything under way has been answered. */
  #coming(): number {
    let held = 0;
    let releasable = 0;
    for (const holder of this.#holders) {
      held += holder.slabs;
      releasable += holder.releasable;
    }
    // What no stream holds is read by workers for clients that have left.
    return this.#free() + releasable + Math.max(0, this.#arena.used - held);
  }

  /** The stream to be woken next, and the slabs that must be free for it. */
  #next(): { readonly holder: Holder; readonly slabs: number } | undefined {
    this.#renewGrant();
    const granted = this.#grant?.holder;
    if (granted !== undefined && this.#line.has(granted)) {
      return { holder: granted, slabs: granted.step + this.#promisedSlabs };
    }
    const first = this.#line.first;
    if (first === undefined) return undefined;
    return { holder: first, slabs: first.step + this.#promisedSlabs + this.#reserve };
  }

  #renewGrant(): void {
    if (this.#grant !== undefined && this.#grant.holder.answered <= this.#grant.answered) return;
    const nearest = this.#line.nearest;
    this.#grant = nearest && { holder: nearest, answered: nearest.answered, used: false };
  }

  /** Waits for the slabs of the stream that is next. */
  #arm(): void {
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    const next = this.#next();
    if (next === undefined) return;
    const slabs = Math.min(next.slabs, this.#arena.capacity);
    this.#cancelWake = this.#arena.whenFree(() => this.#serve(next.holder), slabs);
  }

  #serve(holder: Holder): void {
    this.#cancelWake = undefined;
    if (this.#blocked === holder) this.#blocked = undefined;
    const wake = this.#line.serve(holder);
    if (this.#grant?.holder !== holder) {
      this.#promised.set(holder, holder.step);
      this.#promisedSlabs += holder.step;
    }
    try {
      wake?.();
    } finally {
      this.#arm();
    }
  }

  /** Returns whether slabs were promised to the stream, which has now come for them or left. */
  #keepPromise(holder: Holder): boolean {
    const slabs = this.#promised.get(holder);
    if (slabs === undefined) return false;
    this.#promised.delete(holder);
    this.#promisedSlabs -= slabs;
    return true;
  }
}
