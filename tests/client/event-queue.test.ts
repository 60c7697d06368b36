import { expect, test } from "bun:test";

import { EventQueue, type Received } from "../../src/client/event-queue.ts";
import { rejection } from "../support/wire.ts";

function received(time: number): Received {
  return { event: { type: "active", time, channel: 0 }, text: String(time), at: time, audio: undefined };
}

async function rest(queue: EventQueue): Promise<number[]> {
  const times: number[] = [];
  for await (const { at } of queue) times.push(at);
  return times;
}

test("events are read in the order they came, before and after a reader waits", async () => {
  const queue = new EventQueue(10);
  queue.push(received(0));
  queue.push(received(1));
  const reading = rest(queue);
  await Promise.resolve();
  queue.push(received(2));
  await Promise.resolve();
  queue.push(received(3));
  queue.push(received(4));
  queue.end(undefined);
  expect(await reading).toEqual([0, 1, 2, 3, 4]);
});

test("leaving a loop loses nothing: the next one goes on", async () => {
  const queue = new EventQueue(10);
  for (let i = 0; i < 5; i++) queue.push(received(i));
  for await (const { at } of queue) if (at === 1) break;
  queue.end(undefined);
  expect(await rest(queue)).toEqual([2, 3, 4]);
});

test("what came before a failure is read, then the failure is thrown once", async () => {
  const queue = new EventQueue(10);
  queue.push(received(0));
  queue.end(new Error("lost"));
  const times: number[] = [];
  const read = async () => {
    for await (const { at } of queue) times.push(at);
  };
  expect(await rejection(read())).toEqual(new Error("lost"));
  expect(times).toEqual([0]);
  expect(await rest(queue)).toEqual([]);
});

test("a reader that waits is woken by the end", async () => {
  const queue = new EventQueue(10);
  const reading = rest(queue);
  queue.end(undefined);
  expect(await reading).toEqual([]);
});

test("past its limit the queue says so and keeps what it has", async () => {
  const queue = new EventQueue(2);
  expect([0, 1, 2].map((i) => queue.push(received(i)))).toEqual([true, true, false]);
  queue.end(undefined);
  expect(await rest(queue)).toEqual([0, 1]);
});

test("two readers at a time are refused", async () => {
  const queue = new EventQueue(2);
  const first = queue[Symbol.asyncIterator]().next();
  expect(String(await rejection(queue[Symbol.asyncIterator]().next()))).toContain("already being read");
  queue.push(received(7));
  expect((await first).value?.at).toBe(7);
});
