/**
 * Growth of a process during a run, from samples of its memory at even times, in their unit. A steady leak shows with
 * all that it takes in the run. The first quarter is the warm-up. Of the second and the last one the least counts, since
 * garbage comes and goes; the two are half of the run apart.
 */
export function growthOver(samples: readonly number[]): number {
  const quarter = Math.floor(samples.length / 4);
  return 2 * (Math.min(...samples.slice(-quarter)) - Math.min(...samples.slice(quarter, 2 * quarter)));
}
