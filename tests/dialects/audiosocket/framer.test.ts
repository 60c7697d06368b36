import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { AudioSocketFramer } from "../../../src/dialects/audiosocket/framer.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";
import { audioSocketMessage } from "../../support/call-clients.ts";

const UUID = "40325ec2-5efd-4bd3-805f-53576e581d13";
const UUID_BYTES = Buffer.from(UUID.replaceAll("-", ""), "hex");

/** What comes of bytes in these cuts: texts, and the bytes of audio between them. */
function framed(chunks: readonly Uint8Array[]): unknown[] {
  const framer = new AudioSocketFramer();
  const found: unknown[] = [];
  for (const message of chunks.flatMap((chunk) => [...framer.push(chunk)])) {
    const last = found.at(-1);
    if (typeof message === "string") found.push(JSON.parse(message));
    else if (Array.isArray(last)) last.push(...message);
    else found.push([...message]);
  }
  return found;
}

/** The message of the error at these bytes. */
function refusal(...chunks: readonly Uint8Array[]): string | undefined {
  try {
    framed(chunks);
  } catch (error) {
    if (error instanceof ProtocolError) return error.message;
    throw error;
  }
  return undefined;
}

describe("the framer of AudioSocket", () => {
  test("finds the UUID, the audio with its rate, and the end; digits and errors have no effect", () => {
    const bytes = Buffer.concat([
      audioSocketMessage(0x01, UUID_BYTES),
      audioSocketMessage(0x10, Buffer.from([1, 2])),
      audioSocketMessage(0x03, Buffer.from("5")),
      audioSocketMessage(0x10, Buffer.from([3, 4])),
      audioSocketMessage(0x10),
      audioSocketMessage(0xff, Buffer.from([1])),
      audioSocketMessage(0xff),
      audioSocketMessage(0x12, Buffer.from([5, 6])),
      audioSocketMessage(0x00),
    ]);
    const expected = [
      { kind: "uuid", uuid: UUID },
      { kind: "rate", rate: 8_000 },
      [1, 2, 3, 4],
      { kind: "rate", rate: 16_000 },
      [5, 6],
      { kind: "hangup" },
    ];
    expect(framed([bytes])).toEqual(expected);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 }), (cuts) => {
        const borders = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        expect(framed(borders.slice(1).map((end, n) => bytes.subarray(borders[n], end)))).toEqual(expected);
      }),
    );
    expect(framed([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  test("ends at a type that it does not know, and at a UUID of another length", () => {
    expect(refusal(Buffer.from("GET /"))).toContain("found a message of type 0x47; allowed: messages of the types");
    expect(refusal(audioSocketMessage(0x01, UUID_BYTES.subarray(1)))).toContain("found a UUID of 15 bytes");
  });

  test("survives any bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }), (chunks) => void refusal(...chunks)),
    );
  });
});
