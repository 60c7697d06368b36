import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { formatTokenLine, parseTokenLine, TokenLineError } from "../../src/auth/token-line.ts";
import { newToken } from "../../src/auth/token.ts";

const HASH = "0123456789abcdef".repeat(4);

function problem(line: string): string {
  try {
    parseTokenLine(line);
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return "no problem";
}

/** Lines that are nearly valid: fields, or parts of them, in any order. */
const PARTS = [
  "name",
  `sha256:${HASH}`,
  "sha256:",
  "sessions=",
  "sessions=3",
  "models=",
  "a,b",
  "expires=2027-06-30",
  "admin",
  "=",
  "#",
  " ",
  "\t",
  "\0",
  "__proto__=1",
  "constructor",
];

test("any text is a grant that can be formatted and parsed again, or a problem, and nothing else is thrown", () => {
  const line = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.constantFrom(...PARTS)).map((parts) => parts.join(" ")),
  );
  fc.assert(
    fc.property(line, (text) => {
      try {
        const grant = parseTokenLine(text);
        if (grant !== undefined) expect(parseTokenLine(formatTokenLine(grant))).toEqual(grant);
      } catch (error) {
        expect(error).toBeInstanceOf(TokenLineError);
      }
    }),
    { numRuns: 2_000 },
  );
});

describe("a line of a token file", () => {
  test("has a name and a hash, and allows everything without limits", () => {
    expect(parseTokenLine(`call-center sha256:${HASH}`)).toEqual({ name: "call-center", hash: HASH, admin: false });
  });

  test("may have limits in any order, and a comment at its end", () => {
    const line = `\tdesk@example.org  sha256:${HASH.toUpperCase()} models=a,b,a\tchannels=2 sessions=10 # until spring`;
    const limits = { sessions: 10, channels: 2, models: ["a", "b"], admin: false };
    expect(parseTokenLine(line)).toEqual({ name: "desk@example.org", hash: HASH, ...limits });
  });

  test("may be empty or a comment", () => {
    for (const line of ["", "  \t", "# name sha256:00", "  # x"]) expect(parseTokenLine(line)).toBeUndefined();
  });

  test("may expire at the end of a day in UTC, or at a time", () => {
    const expiry = (text: string) => parseTokenLine(`a sha256:${HASH} expires=${text}`)?.expires;
    expect(expiry("2027-06-30")).toBe(Date.UTC(2027, 6, 1));
    expect(expiry("2027-06-30T18:00:00Z")).toBe(Date.UTC(2027, 5, 30, 18));
    expect(expiry("2027-06-30T18:00+02:00")).toBe(Date.UTC(2027, 5, 30, 16));
  });

  test("is formatted as it is parsed", () => {
    for (const fields of [
      "",
      " sessions=1 channels=2 models=a,b expires=2027-02-28",
      " expires=2027-02-28T10:30:00.000Z",
      " admin",
    ]) {
      const line = `name sha256:${HASH}${fields}`;
      const grant = parseTokenLine(line.replace(".000", ""));
      expect(grant === undefined ? "" : formatTokenLine(grant)).toBe(line);
    }
  });

  test.each([
    ["a", "hash: found nothing; allowed: sha256: and the 64 hex digits of the token's SHA-256"],
    [`a sha256:12`, 'hash: found "sha256:12"; allowed: sha256: and the 64 hex digits of the token\'s SHA-256'],
    [
      `-a sha256:${HASH}`,
      'name: found "-a"; allowed: 1 to 64 letters, digits and . _ @ -, beginning with a letter or digit, and no IP address',
    ],
    [`a sha256:${HASH} sessions=0`, 'sessions: found "0"; allowed: a whole number from 1 to 1000000'],
    [`a sha256:${HASH} channels=1e1`, 'channels: found "1e1"; allowed: a whole number from 1 to 256'],
    [`a sha256:${HASH} models=a,,b`, 'models: found "a,,b"; allowed: 1 to 64 names, separated by commas'],
    [
      `a sha256:${HASH} expires=2027-02-30`,
      'expires: found "2027-02-30"; allowed: a date such as 2027-06-30, or a time such as 2027-06-30T18:00:00Z',
    ],
    [`a sha256:${HASH} session=1`, 'unknown field "session"; did you mean "sessions"?'],
    [`a sha256:${HASH} quota=1`, 'unknown field "quota"; allowed: sessions, channels, models, expires, admin'],
    [`a sha256:${HASH} sessions`, "sessions: found no value; allowed: sessions=VALUE"],
    [`a sha256:${HASH} admin=yes`, "admin: takes no value"],
    [`a sha256:${HASH} sessions=1 sessions=2`, "sessions: is given twice; allowed: once"],
    [
      `a sha256:${HASH} admin sessions=2`,
      "sessions: has no effect with admin, whose tokens open no sessions; allowed: expires",
    ],
  ])("is refused with its field, what was found and what is allowed: %s", (line, message) => {
    expect(problem(line)).toBe(message);
  });

  test("may not have the name of an address, which would share the limits of its client", () => {
    for (const name of ["127.0.0.1", "10.1.2.3"]) expect(problem(`${name} sha256:${HASH}`)).toStartWith("name: f");
  });

  test("is refused without showing a token that stands in it, wherever it is", () => {
    const token = newToken();
    const lines = [
      `a ${token}`,
      `a sha256:${token}`,
      token,
      `a sha256:${HASH} ${token}`,
      `a sha256:${HASH} models==${token}`,
      `a some-password`,
    ];
    for (const line of lines) {
      expect(problem(line)).toContain("f");
      expect(problem(line)).not.toMatch(/strm_|password/);
    }
  });
});
