const PCM_GUID_TAIL = Uint8Array.fromHex("000000001000800000aa00389b71");

/** Bytes of texts, byte arrays and little-endian unsigned integers, one after the other. */
export function littleEndian(...parts: (string | Uint8Array | [bytes: 2 | 4 | 8, value: number])[]): Uint8Array {
  const out: number[] = [];
  for (const part of parts) {
    if (typeof part === "string") for (const letter of part) out.push(letter.charCodeAt(0));
    else if (part instanceof Uint8Array) out.push(...part);
    else for (let i = 0; i < part[0]; i++) out.push(Math.floor(part[1] / 256 ** i) % 256);
  }
  return Uint8Array.from(out);
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

/** The body of a fmt chunk in the extensible form. */
export function fmtExtensible(code: number, channels: number, rate: number, bits: number, valid = bits): Uint8Array {
  return littleEndian(fmt(0xfffe, channels, rate, bits), [2, 22], [2, valid], [4, 3], [2, code], PCM_GUID_TAIL);
}
