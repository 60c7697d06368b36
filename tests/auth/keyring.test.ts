import { expect, test } from "bun:test";

import { KeyringError, parseKeyring } from "../../src/auth/keyring.ts";

const SECRET = Buffer.alloc(32, 7).toString("base64");
const OTHER = Buffer.alloc(40, 9).toString("hex");

test("a file of keys has an id and a secret a line, and the first key is the current one", () => {
  const keyring = parseKeyring(`# keys\n\n2026-11 ${SECRET}\r\n old\t${OTHER}\n`, "keys");
  expect([keyring.current.id, keyring.find("old")?.id, keyring.find("new")]).toEqual(["2026-11", "old", undefined]);
});

test("a key has another secret for every purpose, and the same one in every process", () => {
  const [one, two] = [parseKeyring(`a ${SECRET}`, "keys").current, parseKeyring(`b ${SECRET}`, "keys").current];
  expect(one.derive("x")).toHaveLength(32);
  expect(one.derive("x")).toEqual(two.derive("x"));
  expect(one.derive("x")).not.toEqual(one.derive("y"));
});

test("an error names the file, the line and what is allowed, and never a secret", () => {
  const problem = (text: string): string => {
    try {
      parseKeyring(text, "keys");
    } catch (error) {
      expect(error).toBeInstanceOf(KeyringError);
      const { message } = error as KeyringError;
      expect(message).not.toContain(SECRET.slice(0, 20));
      return message;
    }
    return "";
  };
  expect(problem("# nothing\n")).toBe('keys: found no key; allowed: one or more lines "ID SECRET"');
  expect(problem(`\n${SECRET}`)).toBe("keys:2: found one word; allowed: an id and a secret");
  expect(problem(`a ${SECRET} b`)).toBe("keys:1: found 3 words; allowed: an id and a secret");
  expect(problem(`${SECRET} a`)).toStartWith("keys:1: id: found 44 characters; allowed: an id of 1 to 32 letters");
  expect(problem(`a ${SECRET}\na ${OTHER}`)).toStartWith('keys:2: id: found "a" again');
  expect(problem("a abcd")).toStartWith("keys:1: secret: found 2 bytes; allowed: 32 to 128 random bytes");
  expect(problem(`a ${SECRET}!`)).toStartWith("keys:1: secret: found other characters");
  const many = Array.from({ length: 17 }, (_, i) => `k${i} ${OTHER}`).join("\n");
  expect(problem(many)).toBe("keys: found 17 keys; allowed: at most 16");
});
