/**
 * Samples at `outRate` that `frames` at `inRate` become: round(frames * outRate / inRate), halves up, exact integers.
 */
export function resampledLength(frames: number, inRate: number, outRate: number): number {
  if (inRate === outRate) return frames;
  return Number((BigInt(frames) * BigInt(outRate) * 2n + BigInt(inRate)) / (BigInt(inRate) * 2n));
}
