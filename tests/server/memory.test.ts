import { expect, test } from "bun:test";

import { Arena } from "../../src/audio/arena.ts";
import { type Holder, Memory } from "../../src/server/memory.ts";

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

test("a stream that waits is woken once when there are slabs, and nobody is ended", async () => {
  const arena = new Arena(4);
  const memory = new Memory(arena, () => 1);
  const [rich, poor] = [new Tenant(arena, memory, 4), new Tenant(arena, memory)];
  poor.wait(2);
  poor.wait(2);
  await settled();
  expect(poor.woken).toBe(0);
  rich.release(1);
  await settled();
  expect(poor.woken).toBe(0);
  rich.release(1);
  await settled();
  expect([poor.woken, poor.slabs, rich.evicted, poor.evicted]).toEqual([1, 2, 0, 0]);
  rich.release();
  await settled();
  expect(poor.woken).toBe(1);
});

test("when nothing could free memory the stream that holds most is ended, and the others go on", async () => {
  const arena = new Arena(8);
  const memory = new Memory(arena, () => 0);
  const tenants = [2, 5, 1].map((slabs) => new Tenant(arena, memory, slabs));
  for (const tenant of tenants) tenant.wait();
  await settled();
  expect(tenants.map(({ evicted }) => evicted)).toEqual([0, 1, 0]);
  expect(tenants.map(({ woken }) => woken)).toEqual([1, 0, 1]);
});

test("the one that is ended need not be one that waits", async () => {
  const arena = new Arena(4);
  const memory = new Memory(arena, () => 0);
  const [idle, waiting] = [new Tenant(arena, memory, 3), new Tenant(arena, memory, 1)];
  waiting.wait();
  await settled();
  expect([idle.evicted, waiting.evicted, waiting.woken]).toEqual([1, 0, 1]);
});

test("while finals are queued or running nobody is ended", async () => {
  const arena = new Arena(2);
  let pending = 1;
  const memory = new Memory(arena, () => pending);
  const [first, second] = [new Tenant(arena, memory, 2), new Tenant(arena, memory)];
  second.wait();
  memory.check();
  await settled();
  expect(first.evicted).toBe(0);
  pending = 0;
  memory.check();
  await settled();
  expect(first.evicted).toBe(1);
});

test("a result that frees slabs ends nobody, though it was the last one running", async () => {
  const arena = new Arena(4);
  let pending = 1;
  const memory = new Memory(arena, () => pending);
  const [first, second] = [new Tenant(arena, memory, 4), new Tenant(arena, memory)];
  second.wait();
  await settled();
  pending = 0;
  first.release(2);
  memory.check();
  await settled();
  expect([first.evicted, second.evicted, second.woken]).toEqual([0, 0, 1]);
});

test("two results in one message: the check waits for the second", async () => {
  const arena = new Arena(4);
  let pending = 2;
  const memory = new Memory(arena, () => pending);
  const [first, second, third] = [3, 1, 0].map((slabs) => new Tenant(arena, memory, slabs)) as [Tenant, Tenant, Tenant];
  third.wait(1);
  await settled();
  // The pool counts both as done before it hands out the first.
  pending = 0;
  memory.check();
  second.release();
  memory.check();
  await settled();
  expect([first.evicted, second.evicted, third.woken]).toEqual([0, 0, 1]);
});

test("slabs that are only being read by a call that nobody waits for come back by themselves", async () => {
  const arena = new Arena(3);
  const memory = new Memory(arena, () => 0);
  const [first, second] = [new Tenant(arena, memory, 2), new Tenant(arena, memory)];
  const read = arena.take();
  second.wait();
  await settled();
  expect(first.evicted).toBe(0);
  arena.release(read);
  await settled();
  expect([first.evicted, second.woken]).toEqual([0, 1]);
});

test("who leaves is not woken, and the next in line is", async () => {
  const arena = new Arena(2);
  const memory = new Memory(arena, () => 1);
  const [rich, gone, next] = [2, 0, 0].map((slabs) => new Tenant(arena, memory, slabs)) as [Tenant, Tenant, Tenant];
  gone.wait(2);
  next.wait(1);
  memory.leave(gone);
  rich.release(1);
  await settled();
  expect([gone.woken, next.woken]).toEqual([0, 1]);
});

test("one that wants more than the whole memory is ended", async () => {
  const arena = new Arena(2);
  const memory = new Memory(arena, () => 1);
  const tenant = new Tenant(arena, memory);
  tenant.wait(3);
  await settled();
  expect(tenant.evicted).toBe(1);
});

test("check without anybody waiting does nothing", async () => {
  const arena = new Arena(1);
  const memory = new Memory(arena, () => 0);
  const tenant = new Tenant(arena, memory, 1);
  memory.check();
  await settled();
  expect(tenant.evicted).toBe(0);
});
