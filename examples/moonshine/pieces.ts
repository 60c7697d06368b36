/** Samples at 16 kHz. The network was trained on at most 30 s. */
const LONGEST = 30 * 16_000;
/** A longer utterance is cut in the quietest 100 ms of the last 5 s of each piece. */
const SEARCHED = 5 * 16_000;
const QUIET = 1_600;

/** Cuts audio into pieces of at most 30 s, in order and without gaps. No audio is no piece. */
export function* pieces(audio: Float32Array): Generator<Float32Array> {
  let rest = audio;
  while (rest.length > LONGEST) {
    const cut = quietest(rest);
    yield rest.subarray(0, cut);
    rest = rest.subarray(cut);
  }
  if (rest.length > 0) yield rest;
}

function quietest(audio: Float32Array): number {
  let [least, cut] = [Infinity, LONGEST];
  for (let start = LONGEST - SEARCHED; start + QUIET <= LONGEST; start += QUIET) {
    let energy = 0;
    for (let index = start; index < start + QUIET; index++) energy += audio[index]! ** 2;
    if (energy < least) [least, cut] = [energy, start + QUIET / 2];
  }
  return cut;
}
