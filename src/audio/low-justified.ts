/** Bytes of one sample of 24 bits in 32. */
const SAMPLE_BYTES = 4;

/**
 * Returns true if samples of 24 bits are in the lower three bytes of their four, as ALSA's arecord writes them
 * (S24_LE). WAV puts them in the upper three, so that the lowest byte is 0. Silence is taken for that.
 * @param bytes whole samples of any channels
 */
export function isLowJustified(bytes: Uint8Array): boolean {
  let hasLowBits = false;
  for (let at = 0; at + SAMPLE_BYTES <= bytes.length; at += SAMPLE_BYTES) {
    const sign = (bytes[at + 2] ?? 0) >= 0x80 ? 0xff : 0;
    if (bytes[at + 3] !== sign) return false;
    hasLowBits ||= bytes[at] !== 0;
  }
  return hasLowBits;
}

/** Turns samples of 24 bits in the lower three bytes of four into samples of three bytes, however they are cut. */
export class TopByteRemover {
  /** Bytes so far, modulo the size of a sample. */
  #phase = 0;

  /** Returns the bytes without every fourth one. */
  push(bytes: Uint8Array): Uint8Array {
    const out = new Uint8Array(bytes.length);
    let length = 0;
    for (const byte of bytes) {
      if (this.#phase !== SAMPLE_BYTES - 1) out[length++] = byte;
      this.#phase = (this.#phase + 1) % SAMPLE_BYTES;
    }
    return out.subarray(0, length);
  }
}
