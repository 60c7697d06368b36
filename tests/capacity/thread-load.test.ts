import { expect, test } from "bun:test";

import { ThreadLoad } from "../../src/capacity/thread-load.ts";

/** A thread on which a second of audio and a connection cost this much, in seconds. */
class Thread {
  readonly load = new ThreadLoad();
  readonly #audioCost: number;
  readonly #connectionCost: number;
  now = 0;
  streams = 0;
  /** Part of a processor that the thread gets. */
  processor = 1;
  #backlog = 0;
  #totals = { cpu: 0, busy: 0, audio: 0, connections: 0 };

  constructor(audioCost: number, connectionCost: number) {
    this.#audioCost = audioCost;
    this.#connectionCost = connectionCost;
    this.load.sample(0, this.#totals, 0);
  }

  /** A tenth of a second passes. @param sent audio of each stream, in seconds a second */
  pass(connections = 0, sent = 1): void {
    this.now += 100;
    this.streams += connections;
    for (let i = 0; i < connections; i++) this.load.entered();
    this.#backlog += this.streams * sent * 0.1;
    const left = Math.max(0, 0.1 * this.processor - connections * this.#connectionCost);
    const audio = Math.min(this.#backlog, left / this.#audioCost);
    this.#backlog -= audio;
    const cpu = Math.min(0.1 * this.processor, connections * this.#connectionCost) + audio * this.#audioCost;
    const { cpu: before, busy, audio: audioBefore, connections: all } = this.#totals;
    this.#totals = {
      cpu: before + cpu,
      busy: busy + cpu / this.processor,
      audio: audioBefore + audio,
      connections: all + connections,
    };
    this.load.sample(this.now, this.#totals, this.streams);
  }
}

test("the cost of audio is found while a crowd connects, which costs more than the audio does", () => {
  const thread = new Thread(0.0004, 0.0006);
  for (let i = 0; i < 20; i++) thread.pass(67);
  expect(thread.load.audioCost).toBeGreaterThan(0.00036);
  expect(thread.load.audioCost).toBeLessThan(0.00044);
  expect(thread.load.demand(1_340)).toBeCloseTo(1_340 * thread.load.audioCost);
});

test("a saturated thread does not make audio look cheap", () => {
  const thread = new Thread(0.0004, 0.0006);
  for (let i = 0; i < 30; i++) thread.pass(100);
  for (let i = 0; i < 20; i++) thread.pass();
  expect(thread.load.demand(thread.streams)).toBeGreaterThan(1.1);
  expect(thread.load.saturated).toBe(true);
});

test("a moment of full work is no saturation", () => {
  const thread = new Thread(0.0004, 0.0006);
  for (let i = 0; i < 5; i++) thread.pass(160);
  for (let i = 0; i < 30; i++) {
    thread.pass();
    expect(thread.load.saturated).toBe(false);
  }
});

test("streams that send nothing are not reckoned with in time, new ones are at once", () => {
  const thread = new Thread(0.0004, 0.0001);
  for (let i = 0; i < 100; i++) thread.pass(10);
  const busy = thread.load.demand(1_000);
  for (let i = 0; i < 6_000; i++) thread.pass(0, 0);
  expect(thread.load.demand(1_000)).toBeLessThan(busy / 100);
  thread.pass();
  for (let i = 0; i < 1_000; i++) thread.load.entered();
  expect(thread.load.demand(2_000)).toBeGreaterThan(busy * 0.95);
});

test("a thread that gets only a part of a processor carries only that part of the streams, and all again later", () => {
  const thread = new Thread(0.0004, 0.0001);
  for (let i = 0; i < 50; i++) thread.pass(20);
  const alone = thread.load.demand(1_000);
  thread.processor = 0.4;
  for (let i = 0; i < 30; i++) thread.pass();
  expect(thread.load.demand(1_000)).toBeCloseTo(2.5 * alone, 1);
  thread.processor = 1;
  for (let i = 0; i < 50; i++) thread.pass();
  expect(thread.load.demand(1_000)).toBeCloseTo(alone, 1);
});
