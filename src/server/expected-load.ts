import { Arena } from "../audio/arena.ts";
import type { Expect } from "../capacity/headroom.ts";
import type { Config } from "../config/config.ts";
import { PATTERNS } from "../pipeline/patterns.ts";

/** Rate for which the memory is reckoned, Hz: most models use it. */
const RATE_HZ = 16_000;
/** Slabs of a channel with speech, on average: half of an utterance of two seconds, and the pre-roll. */
const SPEECH_SLABS = 5;
/** Utterances in a second of speech, at most. */
const UTTERANCES_A_SECOND = 0.5;

/** Returns what to expect of a channel of each pattern, by the configured blocks, until streams have been measured. */
export function expectedLoad(config: Config): Expect {
  return (name, callS, isPinned) => {
    const pattern = PATTERNS[name];
    // The call was the warm-up, a second of audio.
    const pinned = isPinned && { compute: callS };
    if (pattern === undefined || pattern.usesVad) {
      return { hold: SPEECH_SLABS, compute: callS * UTTERANCES_A_SECOND, ...pinned };
    }
    const { block_ms } = pattern.keepsState ? config.stateful : config.simple;
    const hold = Math.ceil((block_ms * RATE_HZ) / 1000 / Arena.SLAB_SAMPLES) + 1;
    return { hold, compute: (callS * 1000) / block_ms, ...pinned };
  };
}
