import { expect, test } from "bun:test";

import type { Holder } from "../../src/stream/holder.ts";
import { Shares } from "../../src/stream/shares.ts";

function holder(slabs: number, releasable = 0, caller = "caller"): Holder & { slabs: number; releasable: number } {
  return { caller, slabs, releasable, step: 1, remaining: 1, answered: 0, evict: () => {} };
}

test("a stream may hold its share and no more, and others are not concerned", () => {
  const [full, other] = [holder(4), holder(0)];
  const shares = new Shares({ session: 4, caller: Infinity }, new Set([full, other]));
  expect(shares.exceeded(full, 1)).toBe("session");
  expect(shares.exceeded(other, 4)).toBeUndefined();
  expect(shares.exceeded(other, 5)).toBe("session");
});

test("a stream at its limit is woken when it is below it again", () => {
  const full = holder(4, 2);
  const shares = new Shares({ session: 4, caller: Infinity }, new Set([full]));
  let woken = 0;
  shares.wait(full, () => (woken += 1));
  for (let i = 0; i < 5; i++) expect(shares.check()).toEqual([]);
  expect([woken, shares.waiting]).toEqual([0, 1]);
  full.slabs = 3;
  expect(shares.check()).toEqual([]);
  expect([woken, shares.waiting]).toEqual([1, 0]);
});

test("a stream whose own results free nothing is stuck at the second check", () => {
  const full = holder(4);
  const shares = new Shares({ session: 4, caller: Infinity }, new Set([full]));
  shares.wait(full, () => {});
  expect([shares.check(), shares.check()]).toEqual([[], [full]]);
});

test("all streams of one caller share one limit, which other callers do not feel", () => {
  const [first, second, other] = [holder(3, 1), holder(1), holder(0, 0, "other")];
  const shares = new Shares({ session: Infinity, caller: 5 }, new Set([first, second, other]));
  shares.check();
  expect(shares.exceeded(second, 1)).toBeUndefined();
  shares.taken(second, 1);
  expect(shares.exceeded(first, 1)).toBe("caller");
  expect(shares.exceeded(other, 5)).toBeUndefined();
  shares.wait(second, () => {});
  // The results of the first stream are on the way.
  second.slabs = 2;
  expect([shares.check(), shares.check()]).toEqual([[], []]);
  first.slabs = 2;
  shares.check();
  expect(shares.waiting).toBe(0);
});

test("a caller that is exempt, such as a program of the machine itself, has no limit for all of its streams", () => {
  const [limited, exempt] = [holder(5), { ...holder(5, 0, "local"), isExempt: true }];
  const shares = new Shares({ session: 6, caller: 5 }, new Set([limited, exempt]));
  shares.check();
  expect(shares.exceeded(limited, 1)).toBe("caller");
  expect(shares.exceeded(exempt, 1)).toBeUndefined();
  expect(shares.exceeded(exempt, 2)).toBe("session");
});
