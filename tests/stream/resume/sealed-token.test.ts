import { expect, test } from "bun:test";

import { parseKeyring } from "../../../src/auth/keyring.ts";
import { newStreamId, openToken, TokenSealer } from "../../../src/stream/resume/sealed-token.ts";

const key = (byte: number): string => Buffer.alloc(32, byte).toString("base64");
const keyring = parseKeyring(`one ${key(1)}`, "keys");
const stream = newStreamId();
const content = new TextEncoder().encode("the state");
const token = new TokenSealer(keyring, stream, "caller").seal(content);

test("a token opens with the same key for the same caller, in any process", () => {
  expect(openToken(parseKeyring(`one ${key(1)}`, "keys"), token, "caller")).toEqual({ stream, content });
});

test("a token of another caller, of other keys, damaged anywhere or cut opens nowhere", () => {
  expect(openToken(keyring, token, "another")).toBeUndefined();
  expect(openToken(parseKeyring(`one ${key(2)}`, "keys"), token, "caller")).toBeUndefined();
  expect(openToken(parseKeyring(`two ${key(1)}`, "keys"), token, "caller")).toBeUndefined();
  const bytes = Buffer.from(token, "base64url");
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 0x10;
    expect(openToken(keyring, damaged.toString("base64url"), "caller")).toBeUndefined();
    expect(openToken(keyring, bytes.subarray(0, at).toString("base64url"), "caller")).toBeUndefined();
  }
  for (const other of ["", "!", "%", `${token}=`, "A".repeat(30_000)]) {
    expect(openToken(keyring, other, "caller")).toBeUndefined();
  }
});

test("after a change of keys new tokens have the new key, and old ones still open", () => {
  const rotated = parseKeyring(`two ${key(2)}\none ${key(1)}`, "keys");
  expect(openToken(rotated, token, "caller")?.content).toEqual(content);
  const fresh = new TokenSealer(rotated, stream, "caller").seal(content);
  expect(openToken(keyring, fresh, "caller")).toBeUndefined();
  expect(openToken(rotated, fresh, "caller")?.content).toEqual(content);
});

test("two tokens of the same state differ, and do not show it", () => {
  const another = new TokenSealer(keyring, stream, "caller").seal(content);
  expect(another).not.toBe(token);
  expect(Buffer.from(token, "base64url").includes("state")).toBe(false);
});
