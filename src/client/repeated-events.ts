import type { ServerEvent } from "../protocol/events.ts";

/** A flush that was requested, and its events so far, by channel. */
interface RequestedFlush {
  readonly answers: Map<number, string>;
}

/**
 * Finds the events of a resumed stream that were received before the connection was lost: those that the server sent
 * after the checkpoint from which the stream goes on. Its memory is what comes between two checkpoints.
 */
export class RepeatedEvents {
  /** Keys of the events since the last checkpoint, how often. */
  #since = new Map<string, number>();
  /** Of these, the ones that come again. */
  #expected = new Map<string, number>();
  /** Flushes that had not been answered in every channel at the last checkpoint, in order. */
  #flushes: RequestedFlush[] = [];
  /** Start of the last final of each channel. */
  readonly #finals = new Map<number, number>();
  #channels = 1;

  /** A stream begins. */
  begin(channels: number): void {
    this.#since.clear();
    this.#expected.clear();
    this.#flushes = [];
    this.#finals.clear();
    this.#channels = channels;
  }

  /** A flush has been requested for the first time. */
  flushed(): void {
    this.#flushes.push({ answers: new Map() });
  }

  /** The stream can go on from here. Returns how many of the flushes requested are answered, the first ones. */
  checkpoint(): number {
    const open = this.#flushes.findIndex(({ answers }) => answers.size < this.#channels);
    const answered = open === -1 ? this.#flushes.length : open;
    this.#flushes.splice(0, answered);
    // What has not come again by now comes later, and so do the answers of a flush that is not answered everywhere.
    this.#since = new Map(this.#expected);
    for (const { answers } of this.#flushes) {
      for (const key of answers.values()) if (!this.#expected.has(key)) add(this.#since, key);
    }
    return answered;
  }

  /** The stream goes on from the last checkpoint, or from its start if there was none. */
  resume(): void {
    this.#expected = new Map(this.#since);
  }

  /** Takes the next event. Returns true for one that has been received before. */
  isRepeated(event: ServerEvent): boolean {
    if (event.type === "segment" && event.is_final === false) {
      return event.start_time <= (this.#finals.get(event.channel) ?? -1);
    }
    const key = keyOf(event);
    if (key === undefined) return false;
    if (remove(this.#expected, key)) return true;
    add(this.#since, key);
    if (event.type === "segment") this.#finals.set(event.channel, event.start_time);
    else if (event.type === "flushed") {
      const { channel } = event;
      this.#flushes.find(({ answers }) => !answers.has(channel))?.answers.set(channel, key);
    }
    return false;
  }
}

/** Identifies an event among those that can come again; undefined: it is always new. */
function keyOf(event: ServerEvent): string | undefined {
  switch (event.type) {
    case "active":
    case "inactive":
    case "flushed":
      return `${event.type} ${event.channel} ${event.time}`;
    case "segment":
      return `final ${event.channel} ${event.start_time}`;
    case "data":
      return `end ${event.channel}`;
    case "error":
      if (event.channel === undefined) return undefined;
      return event.start_time === undefined ? `end ${event.channel}` : `final ${event.channel} ${event.start_time}`;
    case "warning":
      return event.code === "draining" ? undefined : `warning ${event.code}`;
    default:
      return undefined;
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Returns false when there is none. */
function remove(counts: Map<string, number>, key: string): boolean {
  const count = counts.get(key) ?? 0;
  if (count > 1) counts.set(key, count - 1);
  else counts.delete(key);
  return count > 0;
}
