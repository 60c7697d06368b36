import { expect, test } from "bun:test";
import { createHash } from "node:crypto";

import { hashToken, hasToken, newToken } from "../../src/auth/token.ts";

test("a token has a prefix of its own and 256 random bits, and no two are the same", () => {
  const tokens = Array.from({ length: 1_000 }, newToken);
  for (const token of tokens) expect(token).toMatch(/^strm_[A-Za-z0-9_-]{43}$/);
  expect(new Set(tokens).size).toBe(1_000);
});

test("the hash of a token is the SHA-256 of its text, as sha256sum prints it", () => {
  const text = "any text may be a token";
  expect(hashToken(text).toString("hex")).toBe(createHash("sha256").update(text).digest("hex"));
});

test("a token is recognised in a text, and names of metrics are none", () => {
  expect(hasToken(`Bearer ${newToken()}`)).toBe(true);
  for (const text of ["streamer_sessions_refused_total", "strm_", "sha256:00"]) expect(hasToken(text)).toBe(false);
});
