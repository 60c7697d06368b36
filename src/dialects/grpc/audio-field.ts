/** Wire type of values with a length. */
const WITH_LENGTH = 2;
/** Most bytes of a length in protobuf, which has at most 32 bits. */
const MAX_LENGTH_BYTES = 5;

/**
 * Returns the audio of a message in protobuf that has nothing else, without decoding it; undefined: it has something
 * else.
 * @param field number of the field with the audio, up to 15
 */
export function audioOf(bytes: Uint8Array, field: number): Uint8Array | undefined {
  if (bytes[0] !== ((field << 3) | WITH_LENGTH)) return undefined;
  let length = 0;
  for (let at = 1; at <= MAX_LENGTH_BYTES; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    length += (byte & 127) * 128 ** (at - 1);
    if (byte < 128) return length === bytes.length - at - 1 ? bytes.subarray(at + 1) : undefined;
  }
  return undefined;
}
