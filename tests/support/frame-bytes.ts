import { OPCODE } from "./frames.ts";

/** What a client may get wrong in a frame. */
export interface FrameShape {
  /** Default true. */
  readonly final?: boolean;
  /** The three reserved bits, 0 to 7; default 0. */
  readonly reserved?: number;
  /** Default true. */
  readonly masked?: boolean;
  /** Bytes of the length's field; default: the fewest that hold it. */
  readonly lengthBytes?: 1 | 2 | 8;
  /** The length in the head; default: that of the payload. */
  readonly length?: bigint;
}

/** The key that masks the payload: any will do, and a fixed one makes cases repeatable. */
const MASK = [0x37, 0xfa, 0x21, 0x3d];

/** A frame of a client with any head, also one that RFC 6455 does not allow. A text payload is UTF-8. */
export function frameBytes(opcode: number, payload: Uint8Array | string = "", shape: FrameShape = {}): Buffer {
  const bytes = Buffer.from(payload);
  const { final = true, reserved = 0, masked = true, length = BigInt(bytes.length) } = shape;
  const lengthBytes = shape.lengthBytes ?? (length < 126n ? 1 : length < 65_536n ? 2 : 8);
  const head = Buffer.alloc(lengthBytes === 1 ? 2 : 2 + lengthBytes);
  head[0] = (final ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (lengthBytes === 1 ? Number(length) : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(Number(length), 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(length, 2);
  if (!masked) return Buffer.concat([head, bytes]);
  return Buffer.concat([head, Buffer.from(MASK), bytes.map((byte, i) => byte ^ (MASK[i & 3] ?? 0))]);
}

/** A close frame with this code and reason. */
export function closeBytes(code: number, reason: Uint8Array | string = ""): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frameBytes(OPCODE.close, Buffer.concat([payload, Buffer.from(reason)]));
}

/** A message in fragments, one for each part. */
export function fragmentBytes(opcode: number, parts: readonly (Uint8Array | string)[]): Buffer[] {
  return parts.map((part, i) => frameBytes(i === 0 ? opcode : OPCODE.more, part, { final: i === parts.length - 1 }));
}
