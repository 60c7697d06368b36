import { expect, test } from "bun:test";

import fc from "fast-check";

import { Link, LinkedList } from "../../src/lib/linked-list.ts";

test("a linked list does what an array would", () => {
  const action = fc.tuple(fc.constantFrom("append", "prepend", "remove", "shift", "replace"), fc.nat(9), fc.nat(9));
  fc.assert(
    fc.property(fc.array(action), (actions) => {
      const list = new LinkedList<number>();
      const links = Array.from({ length: 10 }, (_, value) => new Link(value));
      let array: number[] = [];
      for (const [name, value, other] of actions) {
        const link = links[value]!;
        const listed = array.includes(value);
        if (name === "shift") expect(list.shift()).toBe(array.shift());
        else if (name === "remove") {
          expect(list.remove(link)).toBe(listed);
          array = array.filter((each) => each !== value);
        } else if (name === "replace") {
          if (!listed || array.includes(other)) expect(() => list.replace(link, links[other]!)).toThrow();
          else {
            list.replace(link, links[other]!);
            array = array.map((each) => (each === value ? other : each));
          }
        } else if (listed) expect(() => list[name as "append"](link)).toThrow();
        else {
          list[name as "append"](link);
          array = name === "append" ? [...array, value] : [value, ...array];
        }
        expect([list.size, list.first]).toEqual([array.length, array[0]]);
      }
      const left: number[] = [];
      for (let value = list.shift(); value !== undefined; value = list.shift()) left.push(value);
      expect(left).toEqual(array);
    }),
  );
});

test("a link of another list is not removed", () => {
  const link = new Link(1);
  const [a, b] = [new LinkedList<number>(), new LinkedList<number>()];
  a.append(link);
  expect(b.remove(link)).toBe(false);
  expect(() => b.append(link)).toThrow();
  expect(a.size).toBe(1);
});
