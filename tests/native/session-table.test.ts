import { expect, test } from "bun:test";

import { SessionTable } from "../../src/native/session-table.ts";

const KEY = 2 ** 47 + 5;

test("limits of all sessions and of a key hold for every owner, and places are free again when released", () => {
  using table = SessionTable.create(100);
  using other = SessionTable.open(table.fd, 100);
  expect(table.claim(1, KEY, { all: 3, key: 2 })).toBe(0);
  expect(other.claim(2, KEY, { all: 3, key: 2 })).toBe(1);
  expect(table.claim(1, KEY, { all: 3, key: 2 })).toBe("key");
  // The keys differ in their upper bits only.
  expect(table.claim(1, 5, { all: 3, key: 2 })).toBe(2);
  expect(other.claim(2, 6, { all: 3, key: 0 })).toBe("all");
  expect([table.hasRoom(3), table.hasRoom(4), table.count(), table.count(1), table.count(2)]).toEqual([
    false,
    true,
    3,
    2,
    1,
  ]);
  expect(table.release(1, 1)).toBe(false);
  expect(other.release(2, 1)).toBe(true);
  expect(table.claim(1, KEY, { all: 3, key: 2 })).toBe(1);
});

test("the sessions of an owner that has ended are taken back", () => {
  using table = SessionTable.create(10);
  for (let i = 0; i < 4; i++) table.claim(7, i, { all: 10, key: 1 });
  table.claim(8, 0, { all: 10, key: 2 });
  expect(table.reclaim(7)).toBe(4);
  expect([table.count(), table.reclaim(7)]).toEqual([1, 0]);
});

test("arguments out of range throw, and what is no table is not opened", () => {
  using table = SessionTable.create(10);
  expect(() => SessionTable.create(0)).toThrow(RangeError);
  expect(() => SessionTable.open(0, 10)).toThrow(RangeError);
  for (const [owner, key, all] of [
    [0, 0, 1],
    [32_768, 0, 1],
    [1, 2 ** 48, 1],
    [1, 0, 11],
  ] as const) {
    expect(() => table.claim(owner, key, { all, key: 0 })).toThrow(RangeError);
  }
});
