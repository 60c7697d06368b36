import type { ReceivedEvent } from "../../client/event-reader.ts";
import { LedgerCheck } from "../../client/ledger.ts";
import { type ErrorEvent, RESERVED_FIELDS, type Started, type Stopped, type Warning } from "../../protocol/events.ts";
import { ResultStore } from "./result-store.ts";
import type { Result } from "./result.ts";
import { type Speech, SpeechTimes } from "./speech-times.ts";
import { movedWords } from "./spoken-words.ts";

/** The account of one stream, and what is wrong with it. */
export interface Account {
  readonly stopped: Stopped;
  /** Hz, of the model. */
  readonly modelRate: number;
  readonly problems: readonly string[];
}

/** The sent audio, as far as results are measured by it. */
export interface SentAudio {
  /** When the sample at this time of the recording was sent, on the clock of `ReceivedEvent`; undefined: not known. */
  sentAt(seconds: number): number | undefined;
}

/** What the record tells a view that has changed. */
export interface RecordListener {
  result(result: Result): void;
  /** A result was replaced by another one, or is gone. */
  removed(id: number): void;
  notice(event: ErrorEvent | Warning): void;
  account(account: Account): void;
}

/** One stream of a recording: a change of settings starts another one. */
interface Part {
  /** Where it begins, seconds. */
  readonly start: number;
  readonly bytes: () => number;
  readonly channels: number;
  readonly sampleRate: number;
}

/**
 * Everything that is said about one recording, in one or several streams: a change of the settings in the middle starts
 * the next stream, whose times are moved behind those before.
 */
export class Recording {
  readonly #listener: RecordListener;
  readonly #sent: SentAudio;
  /** Streams that have been asked for and have not started, the oldest first. */
  readonly #asked: Part[] = [];
  readonly #results: ResultStore;
  readonly #speech = new SpeechTimes();
  /** Ids of the results that the next one of their channel replaces. */
  readonly #interims = new Map<number, number>();
  #part: Part | undefined;
  #started: Started | undefined;
  #ledger: LedgerCheck | undefined;
  #nextId = 0;
  /** The connection was replaced: interims may be missing. */
  isResumed = false;

  constructor(sent: SentAudio, listener: RecordListener) {
    this.#sent = sent;
    this.#listener = listener;
    this.#results = new ResultStore((id) => listener.removed(id));
  }

  /** The reply to the last start; undefined: none has come. */
  get started(): Started | undefined {
    return this.#started;
  }

  /** In the order of their end. */
  get results(): Result[] {
    return this.#results.sorted;
  }

  /** True: there is nothing to read, and nothing to take away. */
  get isEmpty(): boolean {
    return this.#results.size === 0;
  }

  speech(channel: number): readonly Speech[] {
    return this.#speech.of(channel);
  }

  /** A start is sent. */
  asked(part: Part): void {
    this.#asked.push(part);
  }

  /** Takes the next event of the server. */
  add(received: ReceivedEvent): void {
    const { event } = received;
    this.#ledger?.add(event);
    switch (event.type) {
      case "started":
        this.#part = this.#asked.shift();
        this.#started = event;
        this.#ledger = new LedgerCheck(event.sample_rate);
        return;
      case "active":
        return this.#speech.begin(event.channel, this.#moved(event.time));
      case "inactive":
        return this.#speech.end(event.channel, this.#moved(event.time));
      case "segment":
      case "data":
        return this.#addResult(received, event);
      case "stopped":
        return this.#stop(event);
      case "error":
        return this.#addError(event);
      case "warning":
        return this.#listener.notice(event);
      default:
    }
  }

  /** The stream has ended: an interim that was not followed by a final is no result. */
  dropInterims(): void {
    for (const id of this.#interims.values()) this.#results.delete(id);
    this.#interims.clear();
  }

  #moved(time: number): number {
    return (this.#part?.start ?? 0) + time;
  }

  #addResult(received: ReceivedEvent, event: Extract<ReceivedEvent["event"], { type: "segment" | "data" }>): void {
    const fields = Object.fromEntries(Object.entries(event).filter(([name]) => !RESERVED_FIELDS.includes(name)));
    if ("words" in fields) fields["words"] = movedWords(fields["words"], this.#part?.start ?? 0);
    const { text, ...others } = fields;
    const isSpan = event.type === "segment";
    const end = isSpan ? this.#moved(event.end_time) : this.#results.lastEnd(event.channel);
    const start = isSpan ? this.#moved(event.start_time) : end;
    const isFinal = !isSpan || event.is_final !== false;
    const timing = isSpan ? event.timing : undefined;
    const sampleRate = event.audio?.sample_rate;
    const bytes = received.text.length * 2 + (received.audio?.byteLength ?? 0);
    const added = {
      channel: event.channel,
      start,
      end,
      isFinal,
      text: typeof text === "string" ? text : undefined,
      fields: typeof text === "string" || text === undefined ? others : fields,
      audio: received.audio && sampleRate ? { samples: received.audio, sampleRate } : undefined,
      timing: {
        latencyMs: isFinal ? this.#latency(event.channel, start, end, received.receivedMs) : undefined,
        queueMs: timing?.queue_ms,
        computeMs: timing?.infer_ms,
      },
      error: undefined,
    };
    this.#replace(added, bytes);
  }

  #addError(event: ErrorEvent): void {
    const { channel, start_time: start, end_time: end } = event;
    if (event.fatal || start === undefined || end === undefined || channel === undefined) {
      // Without a stream that has started, it is the refusal of one.
      if (this.#asked.length > 0 && channel === undefined) this.#asked.shift();
      return this.#listener.notice(event);
    }
    const added = {
      channel,
      start: this.#moved(start),
      end: this.#moved(end),
      isFinal: true,
      text: undefined,
      fields: {},
      audio: undefined,
      timing: { latencyMs: undefined, queueMs: undefined, computeMs: undefined },
      error: event.message,
    };
    this.#replace(added, event.message.length * 2);
  }

  /** Adds a result in the place of the interim before it. */
  #replace(added: Omit<Result, "id">, bytes: number): void {
    const interim = this.#interims.get(added.channel);
    const replaces = interim !== undefined && this.#results.has(interim);
    const result = { ...added, id: replaces ? interim : this.#nextId++ };
    if (added.isFinal) this.#interims.delete(added.channel);
    else this.#interims.set(added.channel, result.id);
    this.#results.put(result, bytes);
    this.#listener.result(result);
    this.#results.trim();
  }

  /** Measured from the last sample of speech in the span, or else from the end of the span. */
  #latency(channel: number, start: number, end: number, receivedMs: number): number | undefined {
    const sent = this.#sent.sentAt(this.#speech.lastEndWithin(channel, start, end) ?? end);
    return sent === undefined ? undefined : Math.max(0, receivedMs - sent);
  }

  #stop(stopped: Stopped): void {
    this.dropInterims();
    // What the server has not ended, ends with the audio.
    const rate = this.#started?.sample_rate ?? 1;
    for (const { channel, decoded } of stopped.channels) this.#speech.end(channel, this.#moved(decoded / rate));
    if (this.#part === undefined || this.#started === undefined || this.#ledger === undefined) return;
    const { bytes, channels, sampleRate } = this.#part;
    const modelRate = this.#started.sample_rate;
    const sent = {
      bytes: bytes(),
      frameBytes: 2 * channels,
      channels,
      sampleRate,
      modelRate,
      isResumed: this.isResumed,
    };
    this.#listener.account({ stopped, modelRate, problems: this.#ledger.problems(stopped, sent) });
  }
}
