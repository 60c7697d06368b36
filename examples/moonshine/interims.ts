/** Utterances in progress that a worker remembers; the oldest is forgotten first. */
const REMEMBERED = 256;

/** What identifies the utterance of a call. Two streams with the same audio may share it, see `Interims.wanted`. */
interface Utterance {
  readonly utterance?: number;
  readonly startSeconds: number;
}

/**
 * Decides which interim results are worth their cost. Each costs the whole utterance again, so with one every half a
 * second a long utterance would cost many times what its final result costs. An interim is declined while the utterance
 * has grown by less than a share since the last one: with a share of 0.25, all interims together cost at most five times
 * the final result, however long it is.
 */
export class Interims {
  readonly #growth: number;
  /** Length of the last interim of each utterance, in samples. */
  readonly #last = new Map<string, number>();

  /** @param growth least growth from one interim to the next, as a share of the first; 0: none is declined */
  constructor(growth: number) {
    this.#growth = growth;
  }

  /** Whether to compute an interim result of `samples`. */
  wanted(utterance: Utterance, samples: number): boolean {
    const key = keyOf(utterance);
    const last = this.#last.get(key);
    // An utterance only grows. One that does not is that of another stream with the same start, which goes first.
    if (last !== undefined && samples > last && samples < last * (1 + this.#growth)) return false;
    this.#last.delete(key);
    this.#last.set(key, samples);
    if (this.#last.size > REMEMBERED) this.#last.delete(this.#last.keys().next().value!);
    return true;
  }

  /** Forgets an utterance that has its final result. */
  forget(utterance: Utterance): void {
    this.#last.delete(keyOf(utterance));
  }
}

function keyOf({ utterance, startSeconds }: Utterance): string {
  return `${utterance} ${startSeconds}`;
}
