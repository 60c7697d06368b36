/** Audio as bytes, in the format of the stream: any array of numbers, or its memory. Samples are little-endian. */
export type AudioData = ArrayBufferView | ArrayBuffer;

/** Pieces of audio, cut anywhere. */
export type AudioPieces = AsyncIterable<AudioData> | Iterable<AudioData> | ReadableStream<Uint8Array> | Blob;

/** Most bytes of a message that `sendAll` sends. */
export const MAX_PIECE_BYTES = 64 * 1024;

/** Returns the bytes of audio; not a copy, unless the memory is shared. Throws a TypeError for anything else. */
export function bytesOf(audio: AudioData): Uint8Array<ArrayBuffer> {
  if (audio instanceof ArrayBuffer) return new Uint8Array(audio);
  if (!ArrayBuffer.isView(audio)) {
    throw new TypeError(`audio: found ${kindOf(audio)}; allowed: an ArrayBuffer, or an array of its numbers`);
  }
  const { buffer, byteOffset, byteLength } = audio;
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

/** Cuts audio into pieces of at most MAX_PIECE_BYTES, and of `bytes` each if that is given, but for the last. */
export async function* cut(pieces: AudioPieces, bytes?: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  if (bytes === undefined) {
    for await (const piece of readPieces(pieces)) yield* slices(bytesOf(piece), MAX_PIECE_BYTES);
    return;
  }
  const whole = new Uint8Array(bytes);
  let filled = 0;
  for await (const piece of readPieces(pieces)) {
    for (const slice of slices(bytesOf(piece), bytes)) {
      const taken = Math.min(slice.length, bytes - filled);
      whole.set(slice.subarray(0, taken), filled);
      filled += taken;
      if (filled < bytes) continue;
      yield whole.slice();
      whole.set(slice.subarray(taken));
      filled = slice.length - taken;
    }
  }
  if (filled > 0) yield whole.slice(0, filled);
}

function* slices(bytes: Uint8Array<ArrayBuffer>, most: number): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < bytes.length; at += most) yield bytes.subarray(at, at + most);
}

/** Reads pieces in order. Gives the source up when the reader does. Throws a TypeError for what has no pieces. */
export function readPieces(pieces: AudioPieces): AsyncIterable<AudioData> | Iterable<AudioData> {
  if (pieces instanceof ReadableStream) return readStream(pieces);
  if (pieces instanceof Blob) return readStream(pieces.stream());
  const isSource = typeof pieces === "object" && (Symbol.asyncIterator in pieces || Symbol.iterator in pieces);
  if (!isSource || ArrayBuffer.isView(pieces)) {
    const allowed = "a Blob, a ReadableStream, or an iterable of pieces of audio";
    throw new TypeError(`source: found ${kindOf(pieces)}; allowed: ${allowed}`);
  }
  return pieces;
}

/** Not every browser can iterate over a stream. */
async function* readStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const reader = stream.getReader();
  let isOver = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isOver = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!isOver) reader.cancel().catch(() => undefined);
  }
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === "object" ? `an object of ${value.constructor.name}` : `a ${typeof value}`;
}
