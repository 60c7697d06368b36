import { describe, expect, test } from "bun:test";

import { type Turn, TurnMeter } from "../../../src/telemetry/metrics/turn-meter.ts";

function start() {
  let now = 1_000;
  let cpuMs = 50;
  let readings = 0;
  const ends: (() => void)[] = [];
  const turns: Turn[] = [];
  const meter = new TurnMeter({
    now: () => now,
    cpuSeconds: () => {
      readings += 1;
      return cpuMs / 1000;
    },
    onTurn: (turn) => void turns.push(turn),
    defer: (task) => void ends.push(task),
  });
  const pass = (ms: number, cpu = ms): void => {
    now += ms;
    cpuMs += cpu;
  };
  /** The event loop looks at its sockets again. */
  const end = (): void => ends.splice(0).forEach((task) => task());
  return { meter, turns, pass, end, readings: () => readings };
}

describe("a turn of the event loop", () => {
  test("is one, however many pieces of work it has, and is named by the stage that took most of it", () => {
    const it = start();
    for (let n = 0; n < 30; n++) {
      it.meter.work("receive");
      it.pass(1);
      it.meter.spent("receive", 1);
    }
    it.meter.work("sweep");
    it.pass(20);
    it.meter.spent("sweep", 20);
    expect(it.turns).toEqual([]);
    it.end();
    expect(it.turns).toEqual([{ stage: "receive", last: "sweep", ms: 50, cpuMs: 50 }]);
  });

  test("is named by its last stage when none was measured", () => {
    const it = start();
    it.meter.work("receive");
    it.pass(0.1);
    it.end();
    it.meter.work("request");
    it.pass(3);
    it.end();
    expect(it.turns.map(({ stage }) => stage)).toEqual(["receive", "request"]);
  });

  test("has less processor time than it lasts when the thread waited for a processor", () => {
    const it = start();
    it.meter.work("result");
    it.pass(100, 30);
    it.end();
    expect(it.turns[0]).toMatchObject({ ms: 100, cpuMs: 30 });
  });

  test("costs a reading of the processor time only when it is long, or none was read for some time", () => {
    const it = start();
    for (let n = 0; n < 40; n++) {
      it.meter.work("receive");
      it.pass(0.1);
      it.end();
    }
    expect(it.readings()).toBe(1);
    it.pass(2);
    it.meter.work("receive");
    it.pass(0.1);
    it.end();
    it.meter.work("receive");
    it.pass(8, 4);
    it.end();
    expect(it.readings()).toBe(3);
    expect(it.turns.at(-1)).toMatchObject({ ms: 8, cpuMs: 4 });
  });
});
