import { expect, test } from "bun:test";

import { Turns } from "../../src/client/turns.ts";
import { rejection } from "../support/wire.ts";

test("tasks run in their order, however long each takes and however it ends", async () => {
  const turns = new Turns();
  const done: number[] = [];
  const task = (index: number) => async () => {
    await Bun.sleep(3 - index);
    done.push(index);
    if (index === 1) throw new Error("task 1");
    return index;
  };
  const all = [0, 1, 2].map((index) => turns.next(task(index)));
  expect(turns.isFree).toBe(false);
  expect(await Promise.allSettled(all)).toMatchObject([{ value: 0 }, { reason: { message: "task 1" } }, { value: 2 }]);
  expect(done).toEqual([0, 1, 2]);
  expect(turns.isFree).toBe(true);
});

test("a task that is given up before its turn rejects at once, and does not run", async () => {
  const turns = new Turns();
  const first = Promise.withResolvers<void>();
  const running = turns.next(() => first.promise);
  const aborting = new AbortController();
  let ran = false;
  const waiting = turns.next(() => (ran = true), aborting.signal);
  aborting.abort(new Error("given up"));
  expect(await rejection(waiting)).toMatchObject({ message: "given up" });
  first.resolve();
  await running;
  await turns.next(() => undefined);
  expect(ran).toBe(false);
});
