/** Counts the speech events of one channel, to leave out those that the stream before has sent. */
export class SpeechEvents {
  #made: number;
  #sent: number;

  /** @param saved counts of the stream that this one goes on from; undefined: there is none */
  constructor(saved: { readonly made: number; readonly sent: number } | undefined) {
    this.#made = saved?.made ?? 0;
    this.#sent = saved?.sent ?? 0;
  }

  /** Events so far. */
  get made(): number {
    return this.#made;
  }

  /** Of these, events that have been sent, here or by the stream before. */
  get sent(): number {
    return this.#sent;
  }

  /** Counts an event if it is a speech event. Returns whether the stream before has sent it. */
  isRepeated({ type }: { readonly type: string }): boolean {
    if (type !== "active" && type !== "inactive") return false;
    this.#made += 1;
    if (this.#made <= this.#sent) return true;
    this.#sent = this.#made;
    return false;
  }
}
