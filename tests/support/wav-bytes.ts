const PCM_GUID_TAIL = Uint8Array.fromHex("000000001000800000aa00389b71");

/** Bytes of texts, byte arrays and little-endian unsigned integers, one after the other. */
export function littleEndian(...parts: (string | Uint8Array | [bytes: 2 | 4 | 8, value: number])[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      parts.map((part) => {
        if (typeof part === "string") return Buffer.from(part, "latin1");
        if (part instanceof Uint8Array) return part;
        const [bytes, value] = part;
        return Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);
      }),
    ),
  );
}

/** A RIFF chunk, padded to an even length. */
export function chunk(name: string, body: Uint8Array): Uint8Array {
  return littleEndian(name, [4, body.length], body, new Uint8Array(body.length % 2));
}

/** The body of a plain fmt chunk. */
export function fmt(
  code: number,
  channels: number,
  rate: number,
  bits: number,
  container = Math.ceil(bits / 8),
): Uint8Array {
  const frame = channels * container;
  return littleEndian([2, code], [2, channels], [4, rate], [4, rate * frame], [2, frame], [2, bits]);
}

/** A fmt body with another block align (bytes 32-33 of a plain file). */
export function withBlockAlign(body: Uint8Array, blockAlign: number): Uint8Array {
  return littleEndian(body.subarray(0, 12), [2, blockAlign], body.subarray(14));
}

/** The body of a fmt chunk in the extensible form. */
export function fmtExtensible(
  code: number,
  channels: number,
  rate: number,
  bits: number,
  { valid = bits, container = Math.ceil(bits / 8), tail = PCM_GUID_TAIL } = {},
): Uint8Array {
  return littleEndian(fmt(0xfffe, channels, rate, bits, container), [2, 22], [2, valid], [4, 3], [2, code], tail);
}

/** The start of a WAV file, up to its audio: a RIFF header, chunks, and the head of a data chunk. */
export function wavStart(
  chunks: readonly Uint8Array[],
  { dataBytes, riffSize, magic = "RIFF" }: { dataBytes: number; riffSize?: number; magic?: string },
): Uint8Array {
  const inner = chunks.reduce((sum, { length }) => sum + length, 0);
  return littleEndian(magic, [4, riffSize ?? 12 + inner + dataBytes], "WAVE", ...chunks, "data", [4, dataBytes]);
}
