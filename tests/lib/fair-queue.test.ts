import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { Entry, FairQueue, Group, Member } from "../../src/lib/fair-queue.ts";

/** A member in a group of its own. */
function loneMember(queue: FairQueue<string>): Member<string> {
  return new Member(new Group(queue.root));
}

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

/** A group in `parent` with this many members, each with this many items called `name`. */
function addGroup(queue: FairQueue<string>, parent: Group<string>, name: string, members: number, items: number): void {
  const group = new Group(parent);
  for (let i = 0; i < members; i++) add(queue, new Member(group), ...Array<string>(items).fill(name));
}

describe("turns", () => {
  test("groups take turns, whatever the number of their members and items", () => {
    const queue = new FairQueue<string>();
    const [greedy, modest] = [new Group(queue.root), new Group(queue.root)];
    add(queue, new Member(greedy), "g1", "g2");
    add(queue, new Member(greedy), "G1", "G2");
    add(queue, new Member(modest), "m1", "m2");
    expect(queue.next()).toBe("g1");
    expect(takeAll(queue)).toEqual(["g1", "m1", "G1", "m2", "g2", "G2"]);
    expect(queue.size).toBe(0);
  });

  test("a caller with 10 streams and a caller with one stream get every other turn each", () => {
    const queue = new FairQueue<string>();
    const [many, one] = [new Group(queue.root), new Group(queue.root)];
    for (let stream = 0; stream < 10; stream++) addGroup(queue, many, `many ${stream}`, 1, 2);
    addGroup(queue, one, "one", 1, 20);
    const taken = takeAll(queue);
    expect(taken.filter((_, i) => i % 2 === 1)).toEqual(Array(20).fill("one"));
    const streams = Array.from({ length: 10 }, (_, stream) => `many ${stream}`);
    expect(taken.filter((_, i) => i % 2 === 0)).toEqual([...streams, ...streams]);
  });

  test("streams of one caller take turns, whatever the number of their channels", () => {
    const queue = new FairQueue<string>();
    const caller = new Group(queue.root);
    addGroup(queue, caller, "16 channels", 16, 2);
    addGroup(queue, caller, "1 channel", 1, 16);
    expect(takeAll(queue)).toEqual(
      Array(16).fill(["16 channels", "1 channel"]).flat().concat(Array(16).fill("16 channels")),
    );
  });

  test("groups that return to the queue start at the end", () => {
    const queue = new FairQueue<string>();
    const [a, b, c] = [loneMember(queue), loneMember(queue), loneMember(queue)];
    add(queue, a, "a1");
    add(queue, b, "b1", "b2");
    add(queue, c, "c1");
    expect(queue.take()).toBe("a1");
    add(queue, a, "a2");
    expect(takeAll(queue)).toEqual(["b1", "c1", "a2", "b2"]);
  });

  test("in a random tree no place is served twice while a sibling waits", () => {
    const member = fc.integer({ min: 0, max: 4 });
    const tree = fc.array(fc.array(fc.array(member, { maxLength: 4 }), { maxLength: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(tree, (callers) => {
        const queue = new FairQueue<readonly [number, number, number]>();
        /** Items left by path: "", "caller", "caller/stream", "caller/stream/channel". */
        const left = new Map<string, number>();
        const paths = (item: readonly number[]) => [0, 1, 2, 3].map((depth) => item.slice(0, depth).join("/"));
        for (const [i, streams] of callers.entries()) {
          const caller = new Group(queue.root);
          for (const [j, channels] of streams.entries()) {
            const stream = new Group(caller);
            for (const [k, items] of channels.entries()) {
              const channel = new Member(stream);
              for (let n = 0; n < items; n++) {
                queue.add(new Entry([i, j, k] as const, channel));
                for (const path of paths([i, j, k])) left.set(path, (left.get(path) ?? 0) + 1);
              }
            }
          }
        }
        /** For each path, the children that were served since each of the others was. */
        const served = new Map<string, string[]>();
        for (let item = queue.take(); item !== undefined; item = queue.take()) {
          const path = paths(item);
          for (let depth = 1; depth <= 3; depth++) {
            const [parent, child] = [path[depth - 1]!, path[depth]!];
            const recent = served.get(parent) ?? [];
            const since = recent.slice(recent.lastIndexOf(child) + 1);
            const siblings = [...left.keys()].filter(
              (key) => key !== "" && key !== child && key.split("/").slice(0, -1).join("/") === parent,
            );
            if (recent.includes(child)) {
              for (const sibling of siblings) expect(left.get(sibling) === 0 || since.includes(sibling)).toBe(true);
            }
            served.set(parent, [...recent, child]);
          }
          for (const each of path) left.set(each, left.get(each)! - 1);
        }
        expect([...left.values()].every((count) => count === 0)).toBe(true);
      }),
    );
  });
});

describe("entries", () => {
  test("removed entries are passed over, and their member and group leave with the last one", () => {
    const queue = new FairQueue<string>();
    const [a, b] = [loneMember(queue), loneMember(queue)];
    const [first, second] = add(queue, a, "a1", "a2");
    add(queue, b, "b1");
    expect(queue.remove(first!)).toBe(true);
    expect(queue.remove(first!)).toBe(false);
    expect([queue.size, queue.oldest]).toEqual([2, "a2"]);
    queue.remove(second!);
    expect(queue.root.waiting.size).toBe(1);
    expect(takeAll(queue)).toEqual(["b1"]);
    queue.add(first!);
    expect(takeAll(queue)).toEqual(["a1"]);
  });

  test("an entry that is put first goes before the others of its member, but waits for the member's turn", () => {
    const queue = new FairQueue<string>();
    const [a, b] = [loneMember(queue), loneMember(queue)];
    add(queue, a, "a2");
    add(queue, b, "b1");
    queue.take();
    add(queue, a, "a3");
    queue.addFirst(new Entry("a1", a));
    expect(takeAll(queue)).toEqual(["b1", "a1", "a3"]);
  });

  test("an entry takes over the turn and the age of the one that it replaces", () => {
    const queue = new FairQueue<string>();
    const [a, b] = [loneMember(queue), loneMember(queue)];
    const [old] = add(queue, a, "old");
    add(queue, b, "b1");
    queue.replace(old!, new Entry("new", a));
    expect([queue.oldest, queue.size]).toEqual(["new", 2]);
    expect(() => queue.replace(old!, new Entry("newer", a))).toThrow();
    expect(() => queue.replace(old!, new Entry("other", b))).toThrow();
    expect(takeAll(queue)).toEqual(["new", "b1"]);
  });

  test("an entry is in the queue once", () => {
    const queue = new FairQueue<string>();
    const [entry] = add(queue, loneMember(queue), "a");
    expect(() => queue.add(entry!)).toThrow("in a list already");
    expect(queue.size).toBe(1);
  });
});

describe("a filter", () => {
  test("passes over groups whose next item it rejects; they keep their turn", () => {
    const queue = new FairQueue<string>();
    const [a, b] = [loneMember(queue), loneMember(queue)];
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

  test("lets another stream of the same caller have the caller's turn", () => {
    const queue = new FairQueue<string>();
    const [caller, other] = [new Group(queue.root), new Group(queue.root)];
    add(queue, new Member(new Group(caller)), "busy 1", "busy 2");
    add(queue, new Member(new Group(caller)), "free 1", "free 2");
    add(queue, new Member(new Group(other)), "other 1", "other 2");
    const free = (item: string): boolean => !item.startsWith("busy");
    expect([queue.take(free), queue.take(free)]).toEqual(["free 1", "other 1"]);
    expect(takeAll(queue)).toEqual(["busy 1", "other 2", "free 2", "busy 2"]);
  });

  test("looks at one item of each group, not at every member", () => {
    const queue = new FairQueue<string>();
    addGroup(queue, new Group(queue.root), "rejected", 16, 1);
    addGroup(queue, new Group(queue.root), "accepted", 1, 1);
    let looked = 0;
    const accepts = (item: string): boolean => {
      looked++;
      return item === "accepted";
    };
    expect(queue.next(accepts)).toBe("accepted");
    expect(looked).toBe(2);
  });
});
