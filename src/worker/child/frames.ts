/** Bytes before the header of a frame: the length of the header and that of the blob, both u32, little-endian. */
export const PREFIX_BYTES = 8;
/** Longest header. The results of a batch that are longer become errors. */
export const MAX_HEADER_BYTES = 64 * 1024 * 1024;
/** Longest blob: the audio and the states of a call. */
export const MAX_BLOB_BYTES = 256 * 1024 * 1024;
/** Longest state of one stream in its serialized form. */
export const MAX_STATE_BYTES = 64 * 1024 * 1024;

/** A message between a server and a process that runs a model: an object, and bytes. */
export interface Frame {
  readonly header: Readonly<Record<string, unknown>>;
  /** Valid during the call that receives it. */
  readonly blob: Uint8Array;
}

/** The other side has sent something that is no frame. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Encodes a frame. Throws RangeError when it is too long. @param header JSON of an object */
export function encodeFrame(header: string, blobs: readonly Uint8Array[] = []): Uint8Array {
  const headerBytes = Buffer.byteLength(header);
  const blobBytes = blobs.reduce((sum, { byteLength }) => sum + byteLength, 0);
  checkLengths(headerBytes, blobBytes, (problem) => new RangeError(problem));
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes + blobBytes);
  frame.writeUInt32LE(headerBytes, 0);
  frame.writeUInt32LE(blobBytes, 4);
  frame.write(header, PREFIX_BYTES);
  let at = PREFIX_BYTES + headerBytes;
  for (const blob of blobs) {
    frame.set(blob, at);
    at += blob.byteLength;
  }
  return frame;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  readonly #receive: (frame: Frame) => void;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** Bytes that the next frame has, as far as that is known. */
  #needed = PREFIX_BYTES;

  /** @param receive gets each frame */
  constructor(receive: (frame: Frame) => void) {
    this.#receive = receive;
  }

  /** The stream may end here: no frame is incomplete. */
  get isComplete(): boolean {
    return this.#bytes === 0;
  }

  /** Throws FrameError, after which the reader cannot be used. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= this.#needed) {
      const bytes = this.#join();
      const [headerBytes, blobBytes] = lengthsOf(bytes);
      const end = PREFIX_BYTES + headerBytes + blobBytes;
      this.#needed = end;
      if (bytes.length < end) return;
      this.#chunks = bytes.length === end ? [] : [bytes.subarray(end)];
      this.#bytes = bytes.length - end;
      this.#needed = PREFIX_BYTES;
      const blobStart = PREFIX_BYTES + headerBytes;
      this.#receive({ header: parse(bytes.subarray(PREFIX_BYTES, blobStart)), blob: bytes.subarray(blobStart, end) });
    }
  }

  #join(): Uint8Array {
    const [first] = this.#chunks;
    if (this.#chunks.length === 1 && first !== undefined) return first;
    const joined = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [joined];
    return joined;
  }
}

function lengthsOf(bytes: Uint8Array): [header: number, blob: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, PREFIX_BYTES);
  const lengths: [number, number] = [view.getUint32(0, true), view.getUint32(4, true)];
  checkLengths(...lengths, (problem) => new FrameError(problem));
  return lengths;
}

function checkLengths(headerBytes: number, blobBytes: number, error: (problem: string) => Error): void {
  if (headerBytes > MAX_HEADER_BYTES) {
    throw error(`header: found ${headerBytes} bytes; allowed: at most ${MAX_HEADER_BYTES}`);
  }
  if (blobBytes > MAX_BLOB_BYTES) throw error(`blob: found ${blobBytes} bytes; allowed: at most ${MAX_BLOB_BYTES}`);
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function parse(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(decoder.decode(bytes));
  } catch {
    throw new FrameError("header: found bytes that are no JSON; allowed: an object");
  }
  if (typeof header === "object" && header !== null && !Array.isArray(header)) return header as Record<string, unknown>;
  throw new FrameError("header: found JSON that is no object; allowed: an object");
}
