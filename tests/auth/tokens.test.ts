import { describe, expect, test } from "bun:test";

import type { Grant } from "../../src/auth/grant.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { Tokens } from "../../src/auth/tokens.ts";

const NOW = Date.UTC(2027, 0, 1);
const grant = (token: string, rest: Partial<Grant> = {}): Grant => {
  return { name: "client", hash: hashToken(token).toString("hex"), admin: false, ...rest };
};

describe("tokens", () => {
  test("are found by their text, and no other text is", () => {
    const [one, two] = [newToken(), newToken()];
    const tokens = new Tokens([grant(one, { name: "one" }), grant(two, { name: "two" })]);
    expect([tokens.find(one)?.name, tokens.find(two)?.name]).toEqual(["one", "two"]);
    const hash = hashToken(one).toString("hex");
    for (const other of ["", "x", newToken(), hash, `sha256:${hash}`, `${one} `, one.slice(0, -1), one.toUpperCase()]) {
      expect(tokens.find(other)).toBeUndefined();
    }
  });

  test("are still found after their expiry, and not held any more", () => {
    const token = newToken();
    const { hash } = grant(token);
    const tokens = new Tokens([grant(token, { expires: NOW })]);
    expect(tokens.holds(hash, NOW - 1)?.hash).toBe(hash);
    expect([tokens.find(token)?.hash, tokens.holds(hash, NOW)]).toEqual([hash, undefined]);
  });

  test("that were removed are held no more", () => {
    const token = newToken();
    expect(new Tokens([]).holds(grant(token).hash, NOW)).toBeUndefined();
    expect(new Tokens([]).find(token)).toBeUndefined();
  });
});
