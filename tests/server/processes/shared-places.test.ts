import { expect, test } from "bun:test";

import { SessionTable } from "../../../src/native/session-table.ts";
import { SharedPlaces } from "../../../src/server/processes/shared-places.ts";

const caller = (id: string, maxSessions = 0) => ({ id, address: "", limits: { maxSessions } });

test("two processes count the sessions of one caller together, and give places back", () => {
  using table = SessionTable.create(10);
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const [one, two] = [1, 2].map((owner) => new SharedPlaces({ table, owner, limit: 4, secret })) as [
    SharedPlaces,
    SharedPlaces,
  ];
  const place = one.claim(caller("a", 2));
  expect(two.claim(caller("a", 2))).toBeObject();
  expect(one.claim(caller("a", 2))).toBe("caller");
  expect(one.claim(caller("b", 2))).toBeObject();
  expect(two.claim(caller("c"))).toBeObject();
  expect([one.hasRoom(), two.claim(caller("d"))]).toEqual([false, "all"]);
  if (typeof place === "object") place.release();
  expect([one.hasRoom(), typeof two.claim(caller("a", 2))]).toEqual([true, "object"]);
});
