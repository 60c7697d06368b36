import type { ErrorEvent } from "../../protocol/events.ts";
import type { Span, Spoken } from "../words.ts";
import type { AudioClock } from "./audio-clock.ts";
import type { Item, Items } from "./items.ts";
import type { ServerMessage } from "./messages.ts";
import type { Turns } from "./turns.ts";

/** Most items that wait for their transcript: a model may return nothing for hours. */
const MAX_WAITING = 1_024;

/** Items that end at pauses: voice activity detection commits them. */
export class DetectedTurns implements Turns {
  readonly #items: Items;
  readonly #clock: AudioClock;
  /** The item of the speech that goes on. */
  #open: Item | undefined;
  /** Items that have ended and wait for their transcript. */
  #waiting: { readonly item: Item; readonly time: number }[] = [];
  /** Commits of the client without an answer, and whether an item has ended since. */
  readonly #commits: { isAnswered: boolean }[] = [];
  #cleared = false;

  constructor(items: Items, clock: AudioClock) {
    this.#items = items;
    this.#clock = clock;
  }

  commit(): ServerMessage[] {
    this.#commits.push({ isAnswered: false });
    return [];
  }

  active(time: number): ServerMessage[] {
    if (this.#cleared) return [];
    this.#open = this.#items.create();
    const audio_start_ms = this.#clock.milliseconds(time - this.#clock.padding);
    return [{ type: "input_audio_buffer.speech_started", audio_start_ms, item_id: this.#open.id }];
  }

  inactive(time: number): ServerMessage[] {
    if (this.#cleared) return [];
    this.#clock.commitUpTo(time);
    const item = this.#open ?? this.#items.create();
    this.#open = undefined;
    this.#waiting.push({ item, time });
    const audio_end_ms = this.#clock.milliseconds(time);
    const stopped = { type: "input_audio_buffer.speech_stopped", audio_end_ms, item_id: item.id } as const;
    return [stopped, ...this.#commit(item), ...this.#endWhile(() => this.#waiting.length > MAX_WAITING)];
  }

  interim(text: string): ServerMessage[] {
    return this.#open?.interim(text) ?? [];
  }

  final(span: Span, spoken: Spoken | undefined): ServerMessage[] {
    return this.#result(span, spoken !== undefined && spoken.text !== "", (item) => item.add(spoken, span));
  }

  failed(span: Span, error: ErrorEvent, isModels: boolean): ServerMessage[] {
    const fail = (item: Item): ServerMessage[] => {
      item.fail(error);
      return [];
    };
    return this.#result(span, isModels, fail, isModels);
  }

  /** A client waits for an item after each commit, also when there was no speech in it. */
  flushed(time: number): ServerMessage[] {
    const answered = this.#endWhile((ended) => ended <= time);
    const commit = this.#commits.shift();
    if (commit === undefined || commit.isAnswered) return answered;
    const item = this.#items.create();
    return [...answered, ...this.#items.commit(item), item.end()];
  }

  clear(): void {
    this.#open = undefined;
    this.#cleared = true;
  }

  stopped(): ServerMessage[] {
    const messages = this.#endWhile(() => true);
    while (this.#commits.length > 0) messages.push(...this.flushed(Infinity));
    this.#open = undefined;
    this.#cleared = false;
    return messages;
  }

  /** @param hasContent it is an item, even where no speech was found @param goesOn more may follow */
  #result(
    { start, end }: Span,
    hasContent: boolean,
    take: (item: Item) => ServerMessage[],
    goesOn = true,
  ): ServerMessage[] {
    // The model has returned nothing for the items before it.
    const before = this.#endWhile((time) => time <= start);
    const [next] = this.#waiting;
    if (next !== undefined) return [...before, ...take(next.item), ...this.#endWhile((time) => time <= end)];
    if (this.#cleared || (this.#open === undefined && !hasContent)) return before;
    // Speech goes on behind a part that was cut, or nothing looks for speech.
    const item = this.#open ?? this.#items.create();
    if (this.#open !== undefined) this.#open = goesOn ? this.#items.create() : undefined;
    return [...before, ...this.#commit(item), ...take(item), item.end()];
  }

  #commit(item: Item): ServerMessage[] {
    const commit = this.#commits.at(-1);
    if (commit !== undefined) commit.isAnswered = true;
    return this.#items.commit(item);
  }

  /** Ends the items that wait, from the first on, as long as the time at which they ended is such. */
  #endWhile(isSuch: (time: number) => boolean): ServerMessage[] {
    const messages: ServerMessage[] = [];
    for (let [next] = this.#waiting; next !== undefined && isSuch(next.time); [next] = this.#waiting) {
      this.#waiting.shift();
      messages.push(next.item.end());
    }
    return messages;
  }
}
