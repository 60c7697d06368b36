import { expect, test } from "bun:test";

import { ReloadQueue } from "../../src/server/reload-queue.ts";

/** A queue whose reloads the test ends, in the order in which they have begun. */
function openQueue() {
  const begun: (string | undefined)[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const queue = new ReloadQueue((model) => {
    begun.push(model);
    return new Promise<number>((resolve, reject) => {
      const number = begun.length;
      ends.push((error) => (error === undefined ? resolve(number) : reject(error)));
    });
  });
  const end = async (error?: Error): Promise<void> => {
    ends.shift()?.(error);
    await Bun.sleep(0);
  };
  return { queue, begun, end };
}

test("reloads run one after the other, and one that waits serves all that ask for the same model meanwhile", async () => {
  const { queue, begun, end } = openQueue();
  const first = queue.request("a");
  await Bun.sleep(0);
  const [second, third, other, all] = [
    queue.request("a"),
    queue.request("a"),
    queue.request("b"),
    queue.request(undefined),
  ];
  for (let ended = 0; ended < 4; ended++) {
    await Bun.sleep(0);
    expect(begun).toHaveLength(ended + 1);
    await end();
  }
  expect(begun).toEqual(["a", "a", "b", undefined]);
  expect(await Promise.all([first, second, third, other, all])).toEqual([1, 2, 2, 3, 4]);
});

test("a reload that fails does not keep the next one from its turn", async () => {
  const { queue, begun, end } = openQueue();
  const first = queue.request("a").catch((error: Error) => error.message);
  await Bun.sleep(0);
  const second = queue.request("a");
  await end(new Error("no"));
  await end();
  expect([await first, await second]).toEqual(["no", 2]);
  expect(begun).toEqual(["a", "a"]);
});
