import type { Count, Family } from "./instruments.ts";
import { ACTIVITIES, type Activity, MainThread } from "./main-thread.ts";
import { Metrics, stageSeries } from "./metrics.ts";
import { ModelMetrics } from "./model-metrics.ts";
import { StreamMetrics } from "./stream-metrics.ts";

/** Messages in one direction. */
export class Traffic {
  readonly audio: Count;
  readonly text: Count;
  readonly audioBytes: Count;
  readonly textBytes: Count;

  constructor(messages: Family<Count, "kind">, bytes: Family<Count, "kind">) {
    this.audio = messages.with({ kind: "audio" });
    this.text = messages.with({ kind: "text" });
    this.audioBytes = bytes.with({ kind: "audio" });
    this.textBytes = bytes.with({ kind: "text" });
  }

  /** A message of audio of so many bytes. */
  countAudio(bytes: number): void {
    this.audio.value += 1;
    this.audioBytes.value += bytes;
  }

  countText(bytes: number): void {
    this.text.value += 1;
    this.textBytes.value += bytes;
  }
}

/** What a server and all in it are measured with: one object, given from outside. What happens for every message costs an addition or two. */
export class ServerMetrics {
  readonly all = new Metrics();
  readonly thread: MainThread;
  readonly received = new Traffic(this.all.receivedMessages, this.all.receivedBytes);
  readonly sent = new Traffic(this.all.sentMessages, this.all.sentBytes);
  readonly #streams = new Map<string, StreamMetrics>();
  readonly #models = new Map<string, ModelMetrics>();

  /** @param now milliseconds, monotonic */
  constructor(now: () => number = () => performance.now()) {
    const { mainThreadSeconds } = this.all;
    const seconds = ACTIVITIES.map((stage): [Activity, Count] => [stage, mainThreadSeconds.with({ stage })]);
    const stages = { decode: stageSeries(this.all, "decode"), vad: stageSeries(this.all, "vad") };
    this.thread = new MainThread({ seconds: new Map(seconds), stages }, now);
  }

  stream(pattern: string, model: string): StreamMetrics {
    const key = `${pattern}\0${model}`;
    let streams = this.#streams.get(key);
    if (streams === undefined) this.#streams.set(key, (streams = new StreamMetrics(this.all, pattern, model)));
    return streams;
  }

  model(name: string): ModelMetrics {
    let model = this.#models.get(name);
    if (model === undefined) this.#models.set(name, (model = new ModelMetrics(this.all, name)));
    return model;
  }

  sessionOpened(pattern: string): void {
    this.all.sessionsOpened.with({ pattern }).add();
  }

  sessionRefused(reason: string): void {
    this.all.sessionsRefused.with({ reason }).add();
  }

  sessionClosed(reason: string): void {
    this.all.sessionsClosed.with({ reason }).add();
  }

  streamRefused(reason: string): void {
    this.all.streamsRefused.with({ reason }).add();
  }

  /** @param ms that a connection has not been read from */
  paused(ms: number): void {
    this.all.pausedSeconds.with({}).add(ms / 1000);
  }

  /** @param bytes of its text */
  eventSent(event: { readonly type: string; readonly code?: unknown }, bytes: number): void {
    this.sent.countText(bytes);
    this.all.eventsSent.with({ type: event.type }).add();
    if (event.type === "error") this.all.errors.with({ code: String(event.code) }).add();
    else if (event.type === "warning") this.all.warnings.with({ code: String(event.code) }).add();
  }
}
