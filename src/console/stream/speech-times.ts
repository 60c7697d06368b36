/** Most stretches of speech of a channel that are kept. The oldest go first. */
export const MAX_STRETCHES = 5_000;

/** A stretch of speech, as the server decided it. Times are seconds since the first sample of the recording. */
export interface Speech {
  readonly start: number;
  /** Undefined: it goes on. */
  end: number | undefined;
}

/** When there was speech, channel by channel. */
export class SpeechTimes {
  readonly #channels = new Map<number, Speech[]>();

  of(channel: number): readonly Speech[] {
    return this.#channels.get(channel) ?? [];
  }

  begin(channel: number, start: number): void {
    const stretches = this.#channels.get(channel) ?? [];
    this.#channels.set(channel, stretches);
    stretches.push({ start, end: undefined });
    if (stretches.length > MAX_STRETCHES) stretches.shift();
  }

  /** Ends the speech that goes on; there may be none. */
  end(channel: number, end: number): void {
    const last = this.of(channel).at(-1);
    if (last !== undefined) last.end ??= end;
  }

  /** Returns the end of the last stretch that ended within a span. */
  lastEndWithin(channel: number, start: number, end: number): number | undefined {
    return this.of(channel).findLast((each) => each.end !== undefined && each.end > start && each.end <= end)?.end;
  }
}
