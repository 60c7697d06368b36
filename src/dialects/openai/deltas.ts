/**
 * The deltas of one transcript. Clients append them, but interim results replace each other: only what two of them have
 * in common is sent, and everything that is sent is the beginning of what follows.
 */
export class Deltas {
  #sent = "";
  #interim: string | undefined;

  /** Takes a transcript that may still change. Returns what can be appended; undefined: nothing. */
  interim(text: string): string | undefined {
    const common = commonBeginning(this.#interim ?? "", text);
    this.#interim = text;
    const blank = common.lastIndexOf(" ");
    return blank === -1 ? undefined : this.settled(common.slice(0, blank));
  }

  /** Takes a transcript that only grows from here. Returns what can be appended; undefined: nothing. */
  settled(text: string): string | undefined {
    if (text.length <= this.#sent.length || !text.startsWith(this.#sent)) return undefined;
    const delta = text.slice(this.#sent.length);
    this.#sent = text;
    return delta;
  }
}

function commonBeginning(one: string, other: string): string {
  const most = Math.min(one.length, other.length);
  let length = 0;
  while (length < most && one[length] === other[length]) length += 1;
  return one.slice(0, length);
}
