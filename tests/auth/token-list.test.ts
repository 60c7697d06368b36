import { describe, expect, test } from "bun:test";

import { parseTokenList, TokenListError } from "../../src/auth/token-list.ts";
import { hashToken } from "../../src/auth/token.ts";

const line = (name: string, token = name) => `${name} sha256:${hashToken(token).toString("hex")}`;

function problems(text: string): readonly string[] {
  try {
    parseTokenList(text, "tokens");
  } catch (error) {
    if (error instanceof TokenListError) return error.problems;
  }
  return [];
}

describe("the content of a token file", () => {
  test("is a line for each token, with any line ends and a byte order mark", () => {
    const text = `\uFEFF${line("a")}\r\n\r\n# no token\r\n${line("b")} sessions=2`;
    expect(parseTokenList(text, "tokens").map(({ name }) => name)).toEqual(["a", "b"]);
  });

  test("may be empty", () => {
    expect(parseTokenList("", "tokens")).toEqual([]);
  });

  test("may have several tokens of one name, so that one can replace the other", () => {
    expect(parseTokenList(`${line("a", "old")}\n${line("a", "new")}\n`, "tokens")).toHaveLength(2);
  });

  test("is refused with all problems, each with file and line", () => {
    expect(problems(`${line("a")}\n?\n${line("b")} session=1\n${line("c", "a")}`)).toEqual([
      expect.stringMatching(/^tokens:2: name: found "\?"; allowed: /),
      'tokens:3: unknown field "session"; did you mean "sessions"?',
      "tokens:4: hash: is that of line 1; allowed: a token of its own",
    ]);
  });

  test("lists no more than 20 problems, and the number of the rest", () => {
    const all = problems("?\n".repeat(30));
    expect(all).toHaveLength(21);
    expect(all.at(-1)).toBe("tokens: 10 more problems");
  });

  test("has at most 10,000 tokens", () => {
    const hash = (index: number) => `a sha256:${index.toString(16).padStart(64, "0")}`;
    const text = (count: number) => Array.from({ length: count }, (_, index) => hash(index)).join("\n");
    expect(problems(text(10_000))).toEqual([]);
    expect(problems(text(10_001))).toEqual(["tokens: found 10001 tokens; allowed: at most 10000"]);
  });
});
