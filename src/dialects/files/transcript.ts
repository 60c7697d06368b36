import type { ErrorEvent, ServerEvent, Stopped } from "../../protocol/events.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { roundSeconds, type Spoken, spokenOf } from "../words.ts";

/** A final result on the clock of the file, in seconds. */
export interface Passage extends Spoken {
  readonly channel: number;
  readonly start: number;
  readonly end: number;
}

/** What has been recognised in a file. */
export class Transcript {
  readonly #untexted: "fields" | "empty";
  readonly #passages: Passage[] = [];
  #model = "";
  #format: AudioFormat | undefined;
  #seconds = 0;
  #hasAudio = false;
  #failure: ErrorEvent | undefined;

  /** @param untexted the text of a result without `text` */
  constructor(untexted: "fields" | "empty") {
    this.#untexted = untexted;
  }

  /** Name of the model. */
  get model(): string {
    return this.#model;
  }

  get channels(): number {
    return this.#format?.channels ?? 1;
  }

  /** Duration of the audio. */
  get seconds(): number {
    return this.#seconds;
  }

  /** There was at least one sample. */
  get hasAudio(): boolean {
    return this.#hasAudio;
  }

  /** The first error of a part of the audio: the text has a hole. */
  get failure(): ErrorEvent | undefined {
    return this.#failure;
  }

  /** The results that have text, by the time of their start, then by channel. */
  get passages(): readonly Passage[] {
    return this.#passages.toSorted((a, b) => a.start - b.start || a.channel - b.channel);
  }

  /** The text of all channels, or of one. */
  text(channel?: number): string {
    const passages = this.passages.filter((each) => channel === undefined || each.channel === channel);
    return passages.map(({ text }) => text.trim()).join(" ");
  }

  /** The language that the model has named first; undefined: none. */
  get language(): string | undefined {
    return this.#passages.find(({ language }) => language !== undefined)?.language;
  }

  /** Notes what an event says about the file. Returns the result with text that it is, if it is one. */
  note(event: ServerEvent): Passage | undefined {
    switch (event.type) {
      case "started":
        this.#model = event.model;
        this.#format = event.format;
        return undefined;
      case "segment":
        if (event.is_final === false) return undefined;
        return this.#add(event, event.channel, { start: event.start_time, end: event.end_time });
      case "data":
        return this.#add(event, event.channel, { start: 0, end: 0 });
      case "error":
        if (event.start_time !== undefined) this.#failure ??= event;
        return undefined;
      case "stopped":
        this.#end(event);
        return undefined;
      default:
        return undefined;
    }
  }

  #add(
    event: Extract<ServerEvent, { type: "segment" | "data" }>,
    channel: number,
    span: { readonly start: number; readonly end: number },
  ): Passage | undefined {
    const spoken = spokenOf(event, span, this.#untexted);
    if (spoken === undefined || spoken.text.trim() === "") return undefined;
    const isWhole = span.start === span.end;
    const start = isWhole ? (spoken.words[0]?.start ?? span.start) : span.start;
    const end = isWhole ? (spoken.words.at(-1)?.end ?? span.end) : span.end;
    const passage = { ...spoken, channel, start: roundSeconds(start), end: roundSeconds(end) };
    this.#passages.push(passage);
    return passage;
  }

  #end({ channels: [ledger] }: Stopped): void {
    if (ledger === undefined) return;
    this.#seconds = ledger.received / ledger.received_rate;
    this.#hasAudio = ledger.received > 0;
  }
}
