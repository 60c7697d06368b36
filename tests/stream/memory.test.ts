import { expect, test } from "bun:test";

import { Arena } from "../../src/audio/arena.ts";
import type { Holder } from "../../src/stream/holder.ts";
import { Memory, type MemoryLimits } from "../../src/stream/memory.ts";

/** A stream that is nothing but the slabs that it holds. */
class Tenant implements Holder {
  readonly held: number[] = [];
  readonly #arena: Arena;
  readonly #memory: Memory;
  readonly caller: string;
  step = 1;
  remaining = 1;
  answered = 0;
  /** Slabs that its jobs hold. */
  releasable = 0;
  /** Reasons for which it was ended. */
  readonly evictions: string[] = [];
  woken = 0;

  constructor(arena: Arena, memory: Memory, slabs = 0, caller = "caller") {
    this.#arena = arena;
    this.#memory = memory;
    this.caller = caller;
    memory.enter(this);
    for (let i = 0; i < slabs; i++) this.held.push(arena.take());
  }

  get slabs(): number {
    return this.held.length;
  }

  /** Takes slabs for one step. Returns false when it has to wait. */
  take(): boolean {
    if (!this.#memory.permits(this, this.step)) {
      this.#memory.wait(this, () => {
        this.woken += 1;
        this.take();
      });
      return false;
    }
    for (let i = 0; i < this.step; i++) this.held.push(this.#arena.take());
    return true;
  }

  /** Results come: slabs are free, and what they held counts as answered. */
  release(count = this.slabs): void {
    for (const slab of this.held.splice(0, count)) this.#arena.release(slab);
    this.answered += count;
  }

  evict(message: string): void {
    this.evictions.push(message);
    this.#memory.leave(this);
    this.release();
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 40; i++) await Promise.resolve();
}

/** Half a second passes, and the memory is looked at. */
async function checked(memory: Memory, now = 0): Promise<void> {
  memory.check(now);
  await settled();
}

function memoryOf(slabs: number, limits: MemoryLimits = {}): { arena: Arena; memory: Memory } {
  const arena = new Arena(slabs);
  return { arena, memory: new Memory(arena, limits) };
}

function ended(all: readonly Tenant[]): number[] {
  return all.map(({ evictions }) => evictions.length);
}

test("a waiting stream is woken once when its slabs are free, and no stream is ended", async () => {
  const { arena, memory } = memoryOf(4);
  const [rich, poor] = [new Tenant(arena, memory, 4), new Tenant(arena, memory)];
  rich.releasable = 4;
  poor.step = 2;
  poor.take();
  poor.take();
  for (let i = 0; i < 3; i++) await checked(memory);
  rich.release(1);
  await checked(memory);
  expect(poor.woken).toBe(0);
  rich.release(1);
  await checked(memory);
  expect([poor.woken, poor.slabs, ...ended([rich, poor])]).toEqual([1, 2, 0, 0]);
  rich.release();
  await checked(memory);
  expect(poor.woken).toBe(1);
});

test("when no result could free memory at two checks in a row, the largest stream is ended and the others go on", async () => {
  const { arena, memory } = memoryOf(8);
  const all = [2, 5, 1].map((slabs) => new Tenant(arena, memory, slabs));
  for (const tenant of all) tenant.take();
  await checked(memory);
  expect(ended(all)).toEqual([0, 0, 0]);
  await checked(memory);
  expect(ended(all)).toEqual([0, 1, 0]);
  expect(all.map(({ woken }) => woken)).toEqual([1, 0, 1]);
  await checked(memory);
  await checked(memory);
  expect(ended(all)).toEqual([0, 1, 0]);
});

test("of streams of one size the newest are ended, and as many at once as are needed", async () => {
  const shed: number[][] = [];
  const { arena, memory } = memoryOf(40, { shed: (streams, slabs) => shed.push([streams, slabs]) });
  const all = Array.from({ length: 20 }, () => new Tenant(arena, memory, 2));
  all[0]!.step = 5;
  all[0]!.remaining = 5;
  all[0]!.take();
  await checked(memory);
  await checked(memory);
  expect(ended(all)).toEqual([...Array.from({ length: 17 }, () => 0), 1, 1, 1]);
  expect(all[0]!.slabs).toBe(7);
  expect(shed).toEqual([[3, 6]]);
});

test("the stream that is ended need not be one that waits", async () => {
  const { arena, memory } = memoryOf(4);
  const all = [3, 1].map((slabs) => new Tenant(arena, memory, slabs));
  all[1]!.take();
  await checked(memory);
  await checked(memory);
  expect(ended(all)).toEqual([1, 0]);
  expect(all[1]!.woken).toBe(1);
});

test("no stream is ended while the results on the way free what the next one needs, however long they take", async () => {
  const { arena, memory } = memoryOf(2);
  const all = [2, 0].map((slabs) => new Tenant(arena, memory, slabs));
  all[0]!.releasable = 1;
  all[1]!.take();
  for (let now = 0; now < 60_000; now += 500) await checked(memory, now);
  expect(ended(all)).toEqual([0, 0]);
  all[0]!.releasable = 0;
  await checked(memory, 60_000);
  await checked(memory, 60_500);
  expect(ended(all)).toEqual([1, 0]);
});

test("slabs that workers still read for a stream that has left are waited for", async () => {
  const { arena, memory } = memoryOf(3);
  const gone = new Tenant(arena, memory, 2);
  memory.leave(gone);
  const all = [1, 0].map((slabs) => new Tenant(arena, memory, slabs));
  all[1]!.take();
  for (let i = 0; i < 5; i++) await checked(memory);
  expect(ended(all)).toEqual([0, 0]);
  gone.release();
  await settled();
  expect(all[1]!.slabs).toBe(1);
});

test("running jobs do not hide that four streams wait for ever, while a fifth one goes on with small ones", async () => {
  const { arena, memory } = memoryOf(80);
  const large = Array.from({ length: 4 }, () => new Tenant(arena, memory, 19));
  for (const tenant of large) Object.assign(tenant, { step: 16, remaining: 160 });
  const small = new Tenant(arena, memory, 4);
  for (const tenant of large) tenant.take();
  for (let now = 0; now < 20_000; now += 500) {
    // Always something under way, which never frees enough for a step of the others.
    small.releasable = Math.min(1, small.slabs);
    small.release(1);
    small.take();
    await checked(memory, now);
  }
  const left = large.filter(({ evictions }) => evictions.length === 0);
  expect(left.length).toBeGreaterThan(0);
  expect(left.length).toBeLessThan(4);
  expect(left.some(({ slabs }) => slabs > 19)).toBe(true);
  expect(small.evictions).toEqual([]);
});

test("one waiting stream at a time gets the reserve, the one that is nearest to its end, until its result", async () => {
  const { arena, memory } = memoryOf(64, { reserve: 8 });
  const all = [6, 2, 4].map((remaining) => Object.assign(new Tenant(arena, memory, 18), { remaining }));
  const [far, near, middle] = all as [Tenant, Tenant, Tenant];
  // Two slabs are left beside the reserve.
  expect([far.take(), far.take(), far.take(), middle.take(), near.take()]).toEqual([true, true, false, false, false]);
  await checked(memory);
  await checked(memory);
  // The first in the line has the grant until the line is sorted; then it has been used by one only.
  const grown = all.filter(({ slabs }, i) => slabs > [20, 18, 18][i]!);
  expect(grown).toHaveLength(1);
  const [granted] = grown as [Tenant];
  for (let i = 0; i < 20 && arena.used < 64; i++) granted.take();
  expect(all.filter(({ slabs }, i) => slabs > [20, 18, 18][i]!)).toEqual([granted]);
  granted.release();
  await checked(memory);
  for (const tenant of all) if (tenant !== granted) expect(tenant.woken).toBeGreaterThan(0);
  expect(ended(all)).toEqual([0, 0, 0]);
});

test("nobody else takes the reserve", () => {
  const { arena, memory } = memoryOf(64, { reserve: 8 });
  const tenant = new Tenant(arena, memory);
  while (tenant.take());
  expect(arena.used).toBe(56);
});

test("a client that has stopped sending does not keep the grant", async () => {
  const { arena, memory } = memoryOf(64, { reserve: 8 });
  const [quiet, waiting] = [new Tenant(arena, memory, 28), new Tenant(arena, memory, 28)];
  quiet.take();
  await settled();
  expect(quiet.slabs).toBe(29);
  waiting.take();
  await checked(memory);
  await checked(memory);
  await checked(memory);
  expect(waiting.slabs).toBe(29);
});

test("a line that stands still ends the newest streams, so that all others go on", async () => {
  const { arena, memory } = memoryOf(1024, { reserve: 119 });
  // Everybody speaks: 147 streams that ran well, then 213 more. All need more than there is.
  const all = Array.from({ length: 360 }, () => Object.assign(new Tenant(arena, memory), { remaining: 100 }));
  for (let round = 0; round < 6; round++) for (const tenant of all) tenant.take();
  for (let now = 0; now <= 5_000; now += 500) await checked(memory, now);
  const lost = ended(all);
  expect(lost.slice(0, 147).reduce((sum, count) => sum + count, 0)).toBe(0);
  expect(lost.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(50);
  // The crowd leaves.
  for (const tenant of all.slice(147)) {
    memory.leave(tenant);
    tenant.release();
  }
  await checked(memory, 5_500);
  expect(memory.waiting).toBe(0);
  for (const tenant of all.slice(0, 147)) expect(tenant.slabs).toBeGreaterThan(2);
});

test("a line that forms before the first check has not stood still since the clock began", async () => {
  const { arena, memory } = memoryOf(4, { openedAt: 60_000 });
  const all = [4, 0, 0].map((slabs) => new Tenant(arena, memory, slabs));
  all[0]!.releasable = 1;
  for (const tenant of all) tenant.take();
  await checked(memory, 60_500);
  expect(ended(all)).toEqual([0, 0, 0]);
  for (let now = 61_000; now <= 63_000; now += 500) await checked(memory, now);
  expect(ended(all).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
});

test("a stream that was woken and waits again has not stood still", async () => {
  const { arena, memory } = memoryOf(4);
  const all = [4, 0].map((slabs) => new Tenant(arena, memory, slabs));
  all[1]!.take();
  await checked(memory);
  all[0]!.release(1);
  await settled();
  all[1]!.take();
  await checked(memory);
  expect(ended(all)).toEqual([0, 0]);
});

test("a stream that has left is not woken, and the next one in line is", async () => {
  const { arena, memory } = memoryOf(2);
  const [rich, gone, next] = [2, 0, 0].map((slabs) => new Tenant(arena, memory, slabs)) as [Tenant, Tenant, Tenant];
  gone.step = 2;
  gone.take();
  next.take();
  memory.leave(gone);
  rich.release(1);
  await settled();
  expect([gone.woken, next.woken]).toEqual([0, 1]);
});

test("a check without waiting streams does nothing", async () => {
  const { arena, memory } = memoryOf(1);
  const all = [new Tenant(arena, memory, 1)];
  await checked(memory);
  await checked(memory);
  expect(ended(all)).toEqual([0]);
});

test("random histories: whoever waits goes on or is ended, and all slabs come back", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const { arena, memory } = memoryOf(200, { reserve: 20 });
    let state = seed * 7919;
    const chance = (): number => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
    const open = new Set<Tenant>();
    const progress = new Map<Tenant, number>();
    for (let now = 0; now < 120_000; now += 500) {
      if (open.size < 60 && now < 60_000) {
        const tenant = Object.assign(new Tenant(arena, memory), { step: chance() < 0.1 ? 8 : 1 });
        open.add(tenant);
        progress.set(tenant, now);
      }
      for (const tenant of open) {
        tenant.remaining = Math.max(1, 20 * tenant.step - tenant.slabs);
        if (tenant.evictions.length > 0 || (now > 60_000 && chance() < 0.2)) {
          open.delete(tenant);
          memory.leave(tenant);
          tenant.release();
        } else if (tenant.slabs >= 20 * tenant.step || (tenant.slabs > 0 && chance() < 0.05)) {
          tenant.release();
          progress.set(tenant, now);
        } else if (tenant.take()) progress.set(tenant, now);
        expect(now - (progress.get(tenant) ?? now)).toBeLessThan(60_000);
      }
      await checked(memory, now);
      expect(arena.used).toBeLessThanOrEqual(200);
    }
    expect([open.size, arena.used, memory.waiting]).toEqual([0, 0, 0]);
  }
});
