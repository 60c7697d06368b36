import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import type { Message } from "../../../src/dialects/dialect.ts";
import { FormFramer, MAX_FIELD_BYTES } from "../../../src/dialects/files/form-framer.ts";

async function encode(
  fields: readonly (readonly [string, string | Uint8Array<ArrayBuffer>])[],
): Promise<[string, Uint8Array]> {
  const data = new FormData();
  for (const [name, value] of fields) data.append(name, typeof value === "string" ? value : new Blob([value]));
  const response = new Response(data);
  const boundary = /boundary="?([^"]+)/.exec(response.headers.get("content-type") ?? "")?.[1] ?? "";
  return [boundary, new Uint8Array(await response.arrayBuffer())];
}

/** The messages, with neighbouring pieces of the file joined. */
function frame(framer: FormFramer, bytes: Uint8Array, size = bytes.length): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const message of framer.push(bytes.subarray(at, at + size))) {
      const last = messages.at(-1);
      if (typeof message === "string" || typeof last !== "object") messages.push(message);
      else messages[messages.length - 1] = Buffer.concat([last, message]);
    }
  }
  framer.end();
  return messages;
}

describe("a form of messages", () => {
  test("has a text for each field, and the file in binary messages where it stands, however it is cut", async () => {
    const file = new Uint8Array(1_000).fill(13);
    const [boundary, bytes] = await encode([
      ["language", "en"],
      ["file", file],
      ["model", "größe"],
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: bytes.length }), (size) => {
        expect(frame(new FormFramer(boundary, "file", 1_000), bytes, size)).toEqual([
          '{"field":"language","value":"en"}',
          '{"file":"","type":"application/octet-stream"}',
          Buffer.from(file),
          '{"field":"model","value":"größe"}',
        ]);
      }),
    );
  });

  test("may have one file, no larger than the limit, and fields of limited length", async () => {
    const file = new Uint8Array(101);
    const [boundary, large] = await encode([["file", file]]);
    expect(() => frame(new FormFramer(boundary, "file", 100), large, 7)).toThrow("at most 100 bytes (limits.file_mb)");
    const [other, two] = await encode([
      ["file", file],
      ["file", file],
    ]);
    expect(() => frame(new FormFramer(other, "file", 1_000), two)).toThrow("file: found several; allowed: one file");
    const [third, none] = await encode([["model", "x"]]);
    expect(() => frame(new FormFramer(third, "file", 1_000), none)).toThrow("file: found nothing");
    const [fourth, long] = await encode([
      ["prompt", "x".repeat(MAX_FIELD_BYTES + 1)],
      ["file", file],
    ]);
    expect(() => frame(new FormFramer(fourth, "file", 1_000), long, 999)).toThrow("prompt: found more than");
  });
});
