import { describe, expect, test } from "bun:test";

import { Entry, FairQueue, Group, Member } from "../../src/lib/fair-queue.ts";

function add(queue: FairQueue<string>, member: Member<string>, ...items: string[]): Entry<string>[] {
  return items.map((item) => {
    const entry = new Entry(item, member);
    queue.add(entry);
    return entry;
  });
}

function takeAll(queue: FairQueue<string>): string[] {
  const items: string[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) items.push(item);
  return items;
}

describe("fair queue", () => {
  test("groups take turns, whatever the number of their members and items", () => {
    const queue = new FairQueue<string>();
    const [greedy, modest] = [new Group<string>(), new Group<string>()];
    add(queue, new Member(greedy), "g1", "g2");
    add(queue, new Member(greedy), "G1", "G2");
    add(queue, new Member(modest), "m1", "m2");
    expect(queue.next()).toBe("g1");
    expect(takeAll(queue)).toEqual(["g1", "m1", "G1", "m2", "g2", "G2"]);
    expect(queue.size).toBe(0);
  });

  test("removed entries are passed over, and their member and group leave when they were the last", () => {
    const queue = new FairQueue<string>();
    const [a, b] = [new Member(new Group<string>()), new Member(new Group<string>())];
    const [first, second] = add(queue, a, "a1", "a2");
    add(queue, b, "b1");
    expect(queue.remove(first!)).toBe(true);
    expect(queue.remove(first!)).toBe(false);
    expect([queue.size, queue.oldest]).toEqual([2, "a2"]);
    queue.remove(second!);
    expect(takeAll(queue)).toEqual(["b1"]);
    queue.add(first!);
    expect(takeAll(queue)).toEqual(["a1"]);
  });

  test("what is put first goes before its member's others, but waits the member's turn", () => {
    const queue = new FairQueue<string>();
    const [a, b] = [new Member(new Group<string>()), new Member(new Group<string>())];
    add(queue, a, "a2");
    add(queue, b, "b1");
    queue.take();
    add(queue, a, "a3");
    queue.addFirst(new Entry("a1", a));
    expect(takeAll(queue)).toEqual(["b1", "a1", "a3"]);
  });

  test("a replaced entry's place is taken over, in turn and in age", () => {
    const queue = new FairQueue<string>();
    const [a, b] = [new Member(new Group<string>()), new Member(new Group<string>())];
    const [old] = add(queue, a, "old");
    add(queue, b, "b1");
    queue.replace(old!, new Entry("new", a));
    expect([queue.oldest, queue.size]).toEqual(["new", 2]);
    expect(() => queue.replace(old!, new Entry("newer", a))).toThrow();
    expect(() => queue.replace(old!, new Entry("other", b))).toThrow();
    expect(takeAll(queue)).toEqual(["new", "b1"]);
  });

  test("a group whose next item is not admitted is passed over and keeps its place", () => {
    const queue = new FairQueue<string>();
    const [a, b] = [new Member(new Group<string>()), new Member(new Group<string>())];
    add(queue, a, "a1", "a2");
    add(queue, b, "b1", "b2");
    const notA = (item: string): boolean => !item.startsWith("a");
    expect([queue.next(notA), queue.take(notA), queue.take(notA), queue.take(notA)]).toEqual([
      "b1",
      "b1",
      "b2",
      undefined,
    ]);
    expect([queue.size, queue.next()]).toEqual([2, "a1"]);
    add(queue, b, "b3");
    expect(takeAll(queue)).toEqual(["a1", "b3", "a2"]);
  });

  test("an entry is queued once at a time", () => {
    const queue = new FairQueue<string>();
    const [entry] = add(queue, new Member(new Group<string>()), "a");
    expect(() => queue.add(entry!)).toThrow("one list only");
  });
});
