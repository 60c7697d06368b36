/** The level of digital silence, since JSON has no minus infinity. */
export const FLOOR_DBFS = -120;

/**
 * Level of an amplitude (a root mean square, or a peak) in dBFS: 20 log10, at least FLOOR_DBFS. An amplitude of 1 is 0
 * dBFS.
 */
export function decibels(amplitude: number): number {
  return Math.max(FLOOR_DBFS, 20 * Math.log10(amplitude));
}
