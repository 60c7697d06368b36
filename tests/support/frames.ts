import { randomBytes } from "node:crypto";

/** WebSocket frames by RFC 6455, written here once more so that tests do not trust the implementation under test. */
export const OPCODE = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Buffer;
}

/** One masked frame, as clients send them. */
export function encodeFrame(opcode: number, payload: Uint8Array, final = true): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(2 + extended + 4 + length);
  frame[0] = (final ? 0x80 : 0) | opcode;
  frame[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) frame.writeUInt16BE(length, 2);
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  const mask = randomBytes(4);
  const at = 2 + extended;
  mask.copy(frame, at);
  frame.set(payload, at + 4);
  for (let i = 0; i < length; i++) frame[at + 4 + i]! ^= mask[i & 3]!;
  return frame;
}

/** Reads the frames of a server from bytes as they come. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);

  /** The frames that these bytes complete. Throws when a server may not send such a frame. */
  push(bytes: Buffer): Frame[] {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 2) return undefined;
    const [first = 0, second = 0] = bytes;
    if ((first & 0x70) !== 0) throw new Error("a frame with reserved bits");
    if ((second & 0x80) !== 0) throw new Error("a masked frame from a server");
    const extended = second === 126 ? 2 : second === 127 ? 8 : 0;
    const head = 2 + extended;
    if (bytes.length < head) return undefined;
    const length = extended === 0 ? second : extended === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (bytes.length < head + length) return undefined;
    this.#bytes = bytes.subarray(head + length);
    return { opcode: first & 0x0f, final: (first & 0x80) !== 0, payload: bytes.subarray(head, head + length) };
  }
}
