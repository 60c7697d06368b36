import type { Segment, ServerEvent } from "../protocol/events.ts";

/** Most ends of speech of one channel that wait for their final: a model may return nothing for hours. */
const MAX_SPEECH_ENDS = 1_024;

/** An event as the dialects of other services report it. */
export type Told =
  | {
      readonly kind: "final";
      readonly segment: Segment;
      /** Speech ended in it. False for a part of an utterance that was too long, and for a block. */
      readonly endsSpeech: boolean;
      /** It is the last one before the `flushed` that answers a flush. */
      readonly closesFlush: boolean;
    }
  /** A flush is answered, and there was no final to mark. */
  | { readonly kind: "flushed"; readonly channel: number; readonly time: number }
  | { readonly kind: "other"; readonly event: ServerEvent };

/** What is remembered of one channel. */
interface Channel {
  /** Times of `inactive` events that no final has used up, in order. */
  speechEnds: number[];
  /** Flushes that have been answered. */
  flushed: number;
  held: { readonly segment: Segment; readonly endsSpeech: boolean } | undefined;
}

/**
 * Finds out which final ends speech, and which one is the last before a flush is answered. A final is held back only
 * while a flush has no answer, up to the next event of its channel, which in the usual case comes at the same moment.
 */
export class ToldUtterances {
  readonly #channels = new Map<number, Channel>();
  /** Flushes that the client has asked for. */
  #flushes = 0;

  /** The client asks for a flush: each channel answers it with a `flushed`. */
  flushing(): void {
    this.#flushes += 1;
  }

  /** Returns what there is to report now, in order. */
  tell(event: ServerEvent): readonly Told[] {
    if (event.type === "stopped") return [...this.#releaseAll(), { kind: "other", event }];
    const number = "channel" in event ? event.channel : undefined;
    if (typeof number !== "number") return [{ kind: "other", event }];
    const channel = this.#channel(number);
    if (event.type === "flushed") return this.#answerFlush(channel, event);
    const released = release(channel, false);
    if (event.type === "inactive") {
      channel.speechEnds.push(event.time);
      if (channel.speechEnds.length > MAX_SPEECH_ENDS) channel.speechEnds.shift();
    }
    if (event.type !== "segment" || event.is_final === false) return [...released, { kind: "other", event }];
    channel.held = { segment: event, endsSpeech: endsSpeech(channel, event) };
    if (channel.flushed < this.#flushes) return released;
    return [...released, ...release(channel, false)];
  }

  #answerFlush(
    channel: Channel,
    { channel: number, time }: Extract<ServerEvent, { type: "flushed" }>,
  ): readonly Told[] {
    channel.flushed += 1;
    const marked = release(channel, true);
    return marked.length > 0 ? marked : [{ kind: "flushed", channel: number, time }];
  }

  #releaseAll(): Told[] {
    return [...this.#channels.values()].flatMap((channel) => release(channel, false));
  }

  #channel(number: number): Channel {
    let channel = this.#channels.get(number);
    if (channel === undefined) {
      channel = { speechEnds: [], flushed: 0, held: undefined };
      this.#channels.set(number, channel);
    }
    return channel;
  }
}

function release(channel: Channel, closesFlush: boolean): Told[] {
  const { held } = channel;
  if (held === undefined) return [];
  channel.held = undefined;
  return [{ kind: "final", ...held, closesFlush }];
}

/** A final ends speech when an `inactive` lies in `(start_time, end_time]` and no earlier final has used it up. */
function endsSpeech({ speechEnds }: Channel, { start_time, end_time }: Segment): boolean {
  while (speechEnds[0] !== undefined && speechEnds[0] <= start_time) speechEnds.shift();
  if (speechEnds[0] === undefined || speechEnds[0] > end_time) return false;
  speechEnds.shift();
  return true;
}
