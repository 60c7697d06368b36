import { expect, test } from "bun:test";

import { Arena } from "../../src/audio/arena.ts";
import { type Holder, Memory } from "../../src/stream/memory.ts";

/** A stream that is nothing but the slabs that it holds. */
class Tenant implements Holder {
  readonly held: number[] = [];
  readonly #arena: Arena;
  readonly #memory: Memory;
  evicted = 0;
  woken = 0;

  constructor(arena: Arena, memory: Memory, slabs = 0) {
    this.#arena = arena;
    this.#memory = memory;
    memory.enter(this);
    for (let i = 0; i < slabs; i++) this.take();
  }

  get slabs(): number {
    return this.held.length;
  }

  take(): boolean {
    const slab = this.#arena.take();
    if (slab >= 0) this.held.push(slab);
    return slab >= 0;
  }

  wait(slabs = 1): void {
    this.#memory.wait(this, slabs, () => {
      this.woken += 1;
      for (let i = 0; i < slabs; i++) this.take();
    });
  }

  release(count = this.slabs): void {
    for (const slab of this.held.splice(0, count)) this.#arena.release(slab);
  }

  evict(): void {
    this.evicted += 1;
    this.#memory.leave(this);
    this.release();
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** A moment passes in which the memory is looked at. */
async function checked(memory: Memory): Promise<void> {
  memory.check();
  await settled();
}

function tenants(arena: Arena, memory: Memory, ...slabs: number[]): Tenant[] {
  return slabs.map((count) => new Tenant(arena, memory, count));
}

function evictions(all: readonly Tenant[]): number[] {
  return all.map(({ evicted }) => evicted);
}

test("a waiting stream is woken once when there are slabs, and no stream is ended", async () => {
  const arena = new Arena(4);
  const memory = new Memory(arena, () => 1);
  const [rich, poor] = [new Tenant(arena, memory, 4), new Tenant(arena, memory)];
  poor.wait(2);
  poor.wait(2);
  await checked(memory);
  expect(poor.woken).toBe(0);
  rich.release(1);
  await checked(memory);
  expect(poor.woken).toBe(0);
  rich.release(1);
  await checked(memory);
  expect([poor.woken, poor.slabs, rich.evicted, poor.evicted]).toEqual([1, 2, 0, 0]);
  rich.release();
  await checked(memory);
  expect(poor.woken).toBe(1);
});

test("when nothing could free memory at two checks in a row, the stream that holds most is ended and the others go on", async () => {
  const arena = new Arena(8);
  const memory = new Memory(arena, () => 0);
  const all = tenants(arena, memory, 2, 5, 1);
  for (const tenant of all) tenant.wait();
  await checked(memory);
  expect(evictions(all)).toEqual([0, 0, 0]);
  await checked(memory);
  expect(evictions(all)).toEqual([0, 1, 0]);
  expect(all.map(({ woken }) => woken)).toEqual([1, 0, 1]);
  await checked(memory);
  await checked(memory);
  expect(evictions(all)).toEqual([0, 1, 0]);
});

test("the stream that is ended need not be one that waits", async () => {
  const arena = new Arena(4);
  const memory = new Memory(arena, () => 0);
  const all = tenants(arena, memory, 3, 1);
  all[1]?.wait();
  await checked(memory);
  await checked(memory);
  expect(evictions(all)).toEqual([1, 0]);
  expect(all[1]?.woken).toBe(1);
});

test("no stream is ended while jobs are queued or running", async () => {
  const arena = new Arena(2);
  let jobs = 0;
  const memory = new Memory(arena, () => jobs);
  const all = tenants(arena, memory, 2, 0);
  all[1]?.wait();
  await checked(memory);
  jobs = 1;
  await checked(memory);
  jobs = 0;
  await checked(memory);
  expect(evictions(all)).toEqual([0, 0]);
  await checked(memory);
  expect(evictions(all)).toEqual([1, 0]);
});

test("no stream is ended when the last running job frees slabs", async () => {
  const arena = new Arena(4);
  let jobs = 0;
  const memory = new Memory(arena, () => jobs);
  const all = tenants(arena, memory, 4, 0);
  all[1]?.wait();
  await checked(memory);
  jobs = 0;
  all[0]?.release(2);
  await settled();
  await checked(memory);
  expect(evictions(all)).toEqual([0, 0]);
  expect(all[1]?.woken).toBe(1);
});

test("a stream that was woken and waits again has not stood still", async () => {
  const arena = new Arena(4);
  const memory = new Memory(arena, () => 0);
  const all = tenants(arena, memory, 4, 0);
  all[1]?.wait();
  await checked(memory);
  all[0]?.release(1);
  await settled();
  all[1]?.wait();
  await checked(memory);
  expect(evictions(all)).toEqual([0, 0]);
});

test("a stream that has left is not woken, and the next one in line is", async () => {
  const arena = new Arena(2);
  const memory = new Memory(arena, () => 1);
  const [rich, gone, next] = tenants(arena, memory, 2, 0, 0) as [Tenant, Tenant, Tenant];
  gone.wait(2);
  next.wait(1);
  memory.leave(gone);
  rich.release(1);
  await settled();
  expect([gone.woken, next.woken]).toEqual([0, 1]);
});

test("a check without waiting streams does nothing", async () => {
  const arena = new Arena(1);
  const memory = new Memory(arena, () => 0);
  const all = tenants(arena, memory, 1);
  await checked(memory);
  await checked(memory);
  expect(evictions(all)).toEqual([0]);
});
