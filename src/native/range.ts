/** Most bytes or samples that one call of the C library takes. */
export const MAX_CALL_LENGTH = 2 ** 30;

/** Throws RangeError unless `value` is an integer from `min` to `max`. */
export function checkInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`${name} is ${value}, not an integer from ${min} to ${max}`);
}

/** Throws RangeError unless [offset, offset + length) lies within an array of `size` elements. */
export function checkSpan(name: string, offset: number, length: number, size: number): void {
  checkInteger(`${name} length`, length, 0, size);
  checkInteger(`${name} offset`, offset, 0, size - length);
}

/** Throws RangeError unless the `length` samples of every channel lie within an array of `size` elements. */
export function checkRuns(name: string, offsets: Uint32Array, channels: number, length: number, size: number): void {
  if (offsets.length < channels) throw new RangeError(`${name}: ${offsets.length} offsets for ${channels} channels`);
  for (let channel = 0; channel < channels; channel++) {
    const offset = offsets[channel] ?? 0;
    if (offset + length > size)
      throw new RangeError(
        `${name}: channel ${channel} needs ${length} samples from ${offset} on, the array has ${size}`,
      );
  }
}
