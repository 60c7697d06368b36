const NEGATIVE_SCALE = 32_768;
const POSITIVE_SCALE = 32_767;

/** Returns samples of one channel each as signed 16-bit little-endian frames. Samples beyond -1..1 are limited. */
export function interleave(planes: readonly Float32Array[]): Uint8Array<ArrayBuffer> {
  const frames = planes[0]?.length ?? 0;
  const bytes = new Uint8Array(frames * planes.length * Int16Array.BYTES_PER_ELEMENT);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let frame = 0; frame < frames; frame++) {
    for (const plane of planes) {
      const sample = Math.max(-1, Math.min(1, plane[frame]!));
      view.setInt16(at, Math.round(sample * (sample < 0 ? NEGATIVE_SCALE : POSITIVE_SCALE)), true);
      at += Int16Array.BYTES_PER_ELEMENT;
    }
  }
  return bytes;
}

/** Returns samples of one channel each as 32-bit float little-endian frames, as they are. */
export function interleaveFloats(planes: readonly Float32Array[]): Uint8Array<ArrayBuffer> {
  const frames = planes[0]?.length ?? 0;
  const samples = new Float32Array(frames * planes.length);
  for (const [channel, plane] of planes.entries()) {
    for (let frame = 0; frame < frames; frame++) samples[frame * planes.length + channel] = plane[frame]!;
  }
  return new Uint8Array(samples.buffer);
}
