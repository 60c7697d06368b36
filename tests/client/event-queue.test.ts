import { expect, test } from "bun:test";

import { EventQueue } from "../../src/client/event-queue.ts";
import type { ReceivedEvent } from "../../src/client/event-reader.ts";
import { rejection } from "../support/wire.ts";

function received(time: number): ReceivedEvent {
  return { event: { type: "active", time, channel: 0 }, text: String(time), receivedMs: time, audio: undefined };
}

async function rest(queue: EventQueue): Promise<number[]> {
  const times: number[] = [];
  for await (const { receivedMs } of queue) times.push(receivedMs);
  return times;
}

test("events are read in the order of arrival, before and after a reader waits", async () => {
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

test("leaving a loop loses no event: the next loop continues", async () => {
  const queue = new EventQueue(10);
  for (let i = 0; i < 5; i++) queue.push(received(i));
  for await (const { receivedMs } of queue) if (receivedMs === 1) break;
  queue.end(undefined);
  expect(await rest(queue)).toEqual([2, 3, 4]);
});

test("events before a failure are read, then the failure is thrown once", async () => {
  const queue = new EventQueue(10);
  queue.push(received(0));
  queue.end(new Error("lost"));
  const times: number[] = [];
  const read = async () => {
    for await (const { receivedMs } of queue) times.push(receivedMs);
  };
  expect(await rejection(read())).toEqual(new Error("lost"));
  expect(times).toEqual([0]);
  expect(await rest(queue)).toEqual([]);
});

test("a waiting reader is woken by the end", async () => {
  const queue = new EventQueue(10);
  const reading = rest(queue);
  queue.end(undefined);
  expect(await reading).toEqual([]);
});

test("a full queue refuses an event and keeps the others", async () => {
  const queue = new EventQueue(2);
  expect([0, 1, 2].map((i) => queue.push(received(i)))).toEqual([true, true, false]);
  queue.end(undefined);
  expect(await rest(queue)).toEqual([0, 1]);
});

test("a second reader at a time is refused", async () => {
  const queue = new EventQueue(2);
  const first = queue[Symbol.asyncIterator]().next();
  expect(String(await rejection(queue[Symbol.asyncIterator]().next()))).toContain("already being read");
  queue.push(received(7));
  expect((await first).value?.receivedMs).toBe(7);
});

test("the size of the queue is that of the texts and the audio in it", async () => {
  const queue = new EventQueue(10);
  queue.push(received(12));
  queue.push({ ...received(345), audio: new Float32Array(5) });
  expect(queue.bytes).toBe(2 + 3 + 20);
  for await (const _ of queue) break;
  expect(queue.bytes).toBe(3 + 20);
  queue.end(undefined);
  await rest(queue);
  expect(queue.bytes).toBe(0);
});
