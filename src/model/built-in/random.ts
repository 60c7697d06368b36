/**
 * Returns a generator of uniform numbers in [0, 1) that depend only on the given integers: splitmix32 (G. Steele,
 * D. Lea and C. Flood, "Fast splittable pseudorandom number generators", 2014; the 32-bit variant with the finaliser of
 * MurmurHash3).
 */
export function random(...seeds: number[]): () => number {
  let state = 0;
  for (const seed of seeds) state = mix((state ^ mix(seed | 0)) + 0x9e3779b9);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state) / 2 ** 32;
  };
}

function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
