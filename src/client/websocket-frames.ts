/** Opcodes of RFC 6455, section 5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Most bytes of one message that is read, all of its fragments together. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

const FIN = 0x80;
const MASKED = 0x80;
const MASK_BYTES = 4;

/**
 * Encodes one message of a client as a frame. The masking key is zero, which leaves the payload as it is: a frame can
 * be made once and sent by any number of connections. A random key protects from scripts in browsers that attack
 * proxies (RFC 6455, section 10.3); a program that chooses its own payload needs no such protection.
 */
export function clientFrame(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = 2 + extended + MASK_BYTES;
  const frame = new Uint8Array(header + length);
  const view = new DataView(frame.buffer);
  frame[0] = FIN | opcode;
  frame[1] = MASKED | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) view.setUint16(2, length);
  else if (extended === 8) view.setBigUint64(2, BigInt(length));
  frame.set(payload, header);
  return frame;
}

/** A message of a server. `payload` is valid during the call only. */
export type OnMessage = (opcode: number, payload: Uint8Array) => void;

/** The bytes are not WebSocket frames of a server. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Cuts a server's bytes into messages, however the bytes were cut by the network. */
export class FrameReader {
  readonly #onMessage: OnMessage;
  /** Bytes of a frame that is not complete. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Opcode and payloads of a message whose last fragment has not come. */
  #opcode = 0;
  #fragments: Uint8Array[] = [];
  #fragmentBytes = 0;

  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage;
  }

  /** Reads bytes. Throws FrameError. */
  push(bytes: Uint8Array): void {
    const input = this.#rest.length === 0 ? bytes : concatenate([this.#rest, bytes]);
    let offset = 0;
    for (let next = this.#readFrame(input, offset); next !== undefined; next = this.#readFrame(input, offset)) {
      offset = next;
    }
    this.#rest = offset === input.length ? input.subarray(offset) : input.slice(offset);
  }

  /** Handles the frame at `offset`. Returns the offset of the next one, undefined when the frame is not complete. */
  #readFrame(input: Uint8Array, offset: number): number | undefined {
    const left = input.length - offset;
    if (left < 2) return undefined;
    const [first, second] = [input[offset] ?? 0, input[offset + 1] ?? 0];
    if ((first & 0x70) !== 0 || (second & MASKED) !== 0) throw new FrameError("a frame with reserved bits or a mask");
    const code = second & 0x7f;
    const header = 2 + (code < 126 ? 0 : code === 126 ? 2 : 8);
    if (left < header) return undefined;
    const view = new DataView(input.buffer, input.byteOffset + offset, header);
    const length = code < 126 ? code : code === 126 ? view.getUint16(2) : Number(view.getBigUint64(2));
    if (length + this.#fragmentBytes > MAX_MESSAGE_BYTES) {
      throw new FrameError(`a message of more than ${MAX_MESSAGE_BYTES} bytes`);
    }
    if (left < header + length) return undefined;
    const end = offset + header + length;
    this.#takeFrame(first, input.subarray(offset + header, end));
    return end;
  }

  #takeFrame(first: number, payload: Uint8Array): void {
    const opcode = first & 0x0f;
    const isLast = (first & FIN) !== 0;
    if (opcode >= OPCODE.close || (isLast && opcode !== OPCODE.continuation)) return this.#onMessage(opcode, payload);
    if (opcode !== OPCODE.continuation) this.#opcode = opcode;
    this.#fragments.push(payload.slice());
    this.#fragmentBytes += payload.length;
    if (!isLast) return;
    const message = concatenate(this.#fragments);
    this.#fragments = [];
    this.#fragmentBytes = 0;
    this.#onMessage(this.#opcode, message);
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
