import { describe, expect, test } from "bun:test";

import { SteadyClock } from "../../src/lib/steady-clock.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** A source that can jump: its timers fire late then, as those of a frozen process do. */
class FreezableClock extends ManualClock {
  #frozen = 0;

  override now(): number {
    return super.now() + this.#frozen;
  }

  freeze(milliseconds: number): void {
    this.#frozen += milliseconds;
  }
}

describe("a steady clock", () => {
  test("runs with its source while it is read in time", () => {
    const source = new FreezableClock();
    const clock = new SteadyClock(500, source);
    for (let i = 1; i <= 10; i++) {
      source.advance(i * 75);
      clock.now();
    }
    expect(clock.now()).toBe(4_125);
  });

  test("counts a freeze as one beat, whoever reads it first and however often", () => {
    const source = new FreezableClock();
    const clock = new SteadyClock(500, source);
    source.advance(400);
    expect(clock.now()).toBe(400);
    source.freeze(60_000);
    expect(clock.now()).toBe(900);
    expect(clock.now()).toBe(900);
    source.advance(100);
    source.freeze(3_600_000);
    expect(clock.now()).toBe(1_400);
  });

  test("counts a gap of one and a half beats in full, and a longer one as a freeze", () => {
    const source = new FreezableClock();
    const clock = new SteadyClock(500, source);
    source.freeze(750);
    expect(clock.now()).toBe(750);
    source.freeze(751);
    expect(clock.now()).toBe(1_250);
  });

  test("runs a task after the time that counts, and not when it is cancelled", () => {
    const source = new FreezableClock();
    const clock = new SteadyClock(500, source);
    const ran: string[] = [];
    clock.after(1_000, () => ran.push("task"));
    const cancel = clock.after(1_200, () => ran.push("cancelled"));
    source.advance(300);
    clock.now();
    source.freeze(10_000);
    source.advance(700);
    expect(ran).toEqual([]);
    cancel();
    for (let i = 0; i < 10; i++) {
      source.advance(100);
      clock.now();
    }
    expect(ran).toEqual(["task"]);
  });
});
