import { describe, expect, test } from "bun:test";

import { readPartHead } from "../../../src/dialects/files/part-head.ts";

const DISPOSITION = "Content-Disposition: form-data";

describe("the head of a part", () => {
  test.each([
    [`${DISPOSITION}; name="model"`, { name: "model", filename: undefined, type: undefined }],
    [`content-disposition:form-data;name=model`, { name: "model", filename: undefined, type: undefined }],
    // curl
    [
      `${DISPOSITION}; name="file"; filename="a \\"b\\".wav"\r\nContent-Type: audio/wav`,
      { name: "file", filename: 'a "b".wav', type: "audio/wav" },
    ],
    // Browsers
    [`${DISPOSITION}; name="file"; filename="a%22b.wav"`, { name: "file", filename: 'a"b.wav', type: undefined }],
    [`${DISPOSITION}; name="file"; filename=""`, { name: "file", filename: "", type: undefined }],
    // Python's httpx, for a name that is not ASCII
    [
      `${DISPOSITION}; name="file"; filename*=utf-8''%C3%BC.wav`,
      { name: "file", filename: "utf-8''%C3%BC.wav", type: undefined },
    ],
    [
      `${DISPOSITION}; name="timestamp_granularities[]"`,
      { name: "timestamp_granularities[]", filename: undefined, type: undefined },
    ],
    [
      `${DISPOSITION}; name="a"\r\nContent-Transfer-Encoding: binary\r\nX-Other: 1`,
      { name: "a", filename: undefined, type: undefined },
    ],
  ])("%j is read", (text, expected) => {
    expect(readPartHead(text)).toEqual(expected);
  });

  test.each([
    ["", "header"],
    ["no colon", "header"],
    [" folded: line", "header"],
    ["A: b\nC: d", "header"],
    ["A: \0", "header"],
    ["Content-Type: audio/wav", "Content-Disposition: found nothing"],
    ["Content-Disposition: attachment; name=a", "Content-Disposition"],
    [DISPOSITION, "no name"],
    [`${DISPOSITION}; name="a`, "Content-Disposition"],
    [`${DISPOSITION}; name="a" b`, "Content-Disposition"],
    [`${DISPOSITION}; name="a"\r\n${DISPOSITION}; name="b"`, "found two"],
    [`${DISPOSITION}; name="a"\r\nContent-Transfer-Encoding: base64`, "Content-Transfer-Encoding"],
  ])("%j is refused", (text, reason) => {
    expect(() => readPartHead(text)).toThrow(reason);
  });

  test("of hostile length takes no longer than its length", () => {
    const long = " ".repeat(8_000);
    for (const text of [
      `${DISPOSITION}${long}x`,
      `A:${long}\0`,
      `${DISPOSITION};${"a=".repeat(3_000)}`,
      `${DISPOSITION}${'; a=""'.repeat(1_300)}"`,
    ]) {
      expect(() => readPartHead(text)).toThrow();
    }
  });
});
