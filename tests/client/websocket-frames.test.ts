import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { clientFrame, FrameError, FrameReader, OPCODE } from "../../src/client/websocket-frames.ts";

/** A server's frame, by RFC 6455, section 5.2. */
function serverFrame(opcode: number, payload: Uint8Array, fin = true): Uint8Array {
  const { length } = payload;
  const size = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : undefined;
  const head = size ?? [127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  return new Uint8Array([(fin ? 0x80 : 0) | opcode, ...head, ...payload]);
}

function read(chunks: readonly Uint8Array[]): [number, number[]][] {
  const messages: [number, number[]][] = [];
  const reader = new FrameReader((opcode, payload) => messages.push([opcode, [...payload]]));
  for (const chunk of chunks) reader.push(chunk);
  return messages;
}

describe("a client's frame", () => {
  test.each([
    [0, [0x82, 0x80, 0, 0, 0, 0]],
    [125, [0x82, 0xfd, 0, 0, 0, 0]],
    [126, [0x82, 0xfe, 0, 126, 0, 0, 0, 0]],
    [65_535, [0x82, 0xfe, 255, 255, 0, 0, 0, 0]],
    [65_536, [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]],
  ])("of %d bytes has the shortest length field and a masking key of zero", (length, head) => {
    const payload = new Uint8Array(length).fill(7);
    const frame = clientFrame(OPCODE.binary, payload);
    expect([...frame.subarray(0, head.length)]).toEqual(head);
    expect(frame.subarray(head.length)).toEqual(payload);
  });
});

describe("a server's messages", () => {
  test("are the same however the bytes are cut", () => {
    const frame = fc.tuple(fc.constantFrom(OPCODE.text, OPCODE.binary, OPCODE.ping), fc.uint8Array({ maxLength: 300 }));
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        (sent, cuts) => {
          const bytes = new Uint8Array(sent.flatMap(([opcode, payload]) => [...serverFrame(opcode, payload)]));
          const chunks: Uint8Array[] = [];
          for (let at = 0; at < bytes.length;) {
            const end = at + Number(cuts.next().value);
            chunks.push(bytes.subarray(at, end));
            at = end;
          }
          expect(read(chunks)).toEqual(sent.map(([opcode, payload]) => [opcode, [...payload]]));
        },
      ),
    );
  });

  test("may be long", () => {
    const payload = new Uint8Array(70_000).map((_, i) => i);
    expect(read([serverFrame(OPCODE.binary, payload)])).toEqual([[OPCODE.binary, [...payload]]]);
  });

  test("may be cut into fragments, with a ping between them", () => {
    const chunks = [
      serverFrame(OPCODE.text, new Uint8Array([1]), false),
      serverFrame(OPCODE.ping, new Uint8Array([9])),
      serverFrame(OPCODE.continuation, new Uint8Array([2]), false),
      serverFrame(OPCODE.continuation, new Uint8Array([3])),
      serverFrame(OPCODE.text, new Uint8Array([4])),
    ];
    expect(read(chunks)).toEqual([
      [OPCODE.ping, [9]],
      [OPCODE.text, [1, 2, 3]],
      [OPCODE.text, [4]],
    ]);
  });

  test.each([
    ["a mask", [0x81, 0x81, 0, 0, 0, 0, 0]],
    ["reserved bits", [0xc1, 0]],
    ["an endless length", [0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]],
  ])("with %s are refused", (_, bytes) => {
    expect(() => read([new Uint8Array(bytes)])).toThrow(FrameError);
  });
});
