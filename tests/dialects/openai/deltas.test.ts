import { expect, test } from "bun:test";

import fc from "fast-check";

import { Deltas } from "../../../src/dialects/openai/deltas.ts";

test("an interim result adds the words that it shares with the one before, without the last", () => {
  const deltas = new Deltas();
  expect(deltas.interim("turn left")).toBeUndefined();
  expect(deltas.interim("turn left he")).toBe("turn");
  expect(deltas.interim("turn left here and")).toBe(" left");
  expect(deltas.interim("turn left here and there")).toBe(" here");
  expect(deltas.settled("turn left here and then")).toBe(" and then");
  expect(deltas.settled("turn left here and then")).toBeUndefined();
});

test("a result that contradicts what was sent adds nothing any more", () => {
  const deltas = new Deltas();
  deltas.interim("turn left here");
  expect(deltas.interim("turn left there")).toBe("turn left");
  expect(deltas.settled("turning right")).toBeUndefined();
  expect(deltas.settled("turning right, then left")).toBeUndefined();
});

test("all deltas together are the beginning of every later transcript that confirms them", () => {
  const words = fc.array(fc.constantFrom("turn", "left", "here", "le"), { maxLength: 6 });
  fc.assert(
    fc.property(fc.array(words, { maxLength: 8 }), words, (interims, last) => {
      const deltas = new Deltas();
      let sent = "";
      for (const interim of interims) sent += deltas.interim(interim.join(" ")) ?? "";
      const final = last.join(" ");
      const rest = deltas.settled(final);
      if (rest !== undefined) expect(sent + rest).toBe(final);
      else expect(final.startsWith(sent) && final !== sent).toBeFalse();
    }),
  );
});
