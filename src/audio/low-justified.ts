/** Bytes of one sample of 24 bits in 32. */
const SAMPLE_BYTES = 4;

/** Level of speech in 24 bits: -30 dBFS. */
const SPEECH_PEAK = 1 << 18;

/**
 * Returns true if samples of 24 bits are in the lower three bytes of their four, as ALSA's arecord writes them
 * (S24_LE), and the top byte extends their sign, or is 0. WAV puts them in the upper three, so that the lowest byte is
 * 0. If that is so, and the top byte extends the others all the same, the samples are those of 16 bits in the lower
 * three bytes, or of 24 in the upper three and below -48 dBFS: they are the first if that makes them as loud as speech.
 * Silence is taken for what WAV has.
 * @param bytes whole samples of any channels
 */
export function isLowJustified(bytes: Uint8Array): boolean {
  let extendsSign = true;
  let extendsZero = true;
  let hasLowBits = false;
  let peak = 0;
  for (let at = 0; at + SAMPLE_BYTES <= bytes.length; at += SAMPLE_BYTES) {
    const high = bytes[at + 2] ?? 0;
    const top = bytes[at + 3];
    extendsSign &&= top === (high >= 0x80 ? 0xff : 0);
    extendsZero &&= top === 0;
    if (!extendsSign && !extendsZero) return false;
    hasLowBits ||= bytes[at] !== 0;
    peak = Math.max(peak, Math.abs(((high << 24) | ((bytes[at + 1] ?? 0) << 16)) >> 8));
  }
  return hasLowBits || peak >= SPEECH_PEAK;
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
