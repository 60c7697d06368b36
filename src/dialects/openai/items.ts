import type { ErrorEvent } from "../../protocol/events.ts";
import { roundSeconds, type Span, type Spoken } from "../words.ts";
import { Deltas } from "./deltas.ts";
import { faultOf } from "./faults.ts";
import type { ServerMessage } from "./messages.ts";

/** Speech of the client with its transcript: what a client knows as an item of the conversation. */
export class Item {
  readonly id: string;
  readonly #extras: boolean;
  readonly #deltas = new Deltas();
  #text = "";
  #seconds = 0;
  #language: string | undefined;
  #others: Readonly<Record<string, unknown>> = {};
  #failure: ErrorEvent | undefined;

  /** @param extras the model's other fields are sent, too */
  constructor(id: string, extras: boolean) {
    this.id = id;
    this.#extras = extras;
  }

  /** The transcript so far. */
  get text(): string {
    return this.#text;
  }

  /** Nothing has been recognised, and nothing has failed. */
  get isEmpty(): boolean {
    return this.#text === "" && this.#failure === undefined;
  }

  /** A result that may still change follows what there is. */
  interim(text: string): ServerMessage[] {
    return this.#delta(this.#deltas.interim(joined(this.#text, text)));
  }

  /** A result follows what there is. @param spoken undefined: it has no text */
  add(spoken: Spoken | undefined, { start, end }: Span): ServerMessage[] {
    this.#seconds += end - start;
    if (spoken === undefined) return [];
    this.#language ??= spoken.language;
    this.#others = spoken.others;
    if (spoken.text === "") return [];
    this.#text = joined(this.#text, spoken.text);
    return this.#delta(this.#deltas.settled(this.#text));
  }

  /** The model has failed on a part. */
  fail(error: ErrorEvent): void {
    this.#failure ??= error;
  }

  /** Returns the end of the transcript: it failed only when nothing of it has been recognised. */
  end(): ServerMessage {
    const place = { item_id: this.id, content_index: 0 } as const;
    if (this.#failure !== undefined && this.#text === "") {
      return { type: "conversation.item.input_audio_transcription.failed", ...place, error: faultOf(this.#failure) };
    }
    return {
      type: "conversation.item.input_audio_transcription.completed",
      ...place,
      transcript: this.#text,
      ...(this.#language !== undefined && { languages: [{ code: this.#language }] }),
      usage: { type: "duration", seconds: roundSeconds(this.#seconds) },
      ...(this.#extras && Object.keys(this.#others).length > 0 && { streamer: this.#others }),
    };
  }

  #delta(delta: string | undefined): ServerMessage[] {
    if (delta === undefined) return [];
    const type = "conversation.item.input_audio_transcription.delta";
    return [{ type, item_id: this.id, content_index: 0, delta }];
  }
}

function joined(before: string, text: string): string {
  return before === "" ? text : `${before} ${text}`;
}

/** The items of a connection, in order. */
export class Items {
  readonly #session: string;
  readonly #extras: boolean;
  #count = 0;
  #previous: string | null = null;
  /** Messages have the form of the beta. */
  isBeta = false;

  constructor(session: string, extras: boolean) {
    this.#session = session;
    this.#extras = extras;
  }

  create(): Item {
    this.#count += 1;
    return new Item(`item_${this.#session}_${this.#count}`, this.#extras);
  }

  /** Puts an item at the end of the conversation. Returns the messages that report it. */
  commit({ id }: Item): ServerMessage[] {
    const previous_item_id = this.#previous;
    this.#previous = id;
    const head = { id, object: "realtime.item", type: "message", status: "completed", role: "user" } as const;
    const item = { ...head, content: [{ type: "input_audio", transcript: null }] } as const;
    const types = this.isBeta
      ? (["conversation.item.created"] as const)
      : (["conversation.item.added", "conversation.item.done"] as const);
    return [
      { type: "input_audio_buffer.committed", item_id: id, previous_item_id },
      ...types.map((type): ServerMessage => ({
        type,
        previous_item_id,
        item: { ...item, content: [...item.content] },
      })),
    ];
  }
}
