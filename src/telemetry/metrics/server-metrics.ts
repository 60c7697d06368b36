import { DeclaredFamilies } from "./declared-metrics.ts";
import { registerFamilies } from "./families/families.ts";
import { stageInstruments } from "./families/stages.ts";
import type { Counter } from "./instruments.ts";
import { MAIN_THREAD_STAGES, type MainThreadStage, MainThreadTimer } from "./main-thread-timer.ts";
import { MessageCounters } from "./message-counters.ts";
import { MetricRegistry } from "./metric-registry.ts";
import { ModelMetrics } from "./model-metrics.ts";
import { StreamMetrics } from "./stream-metrics.ts";

/**
 * All metrics of one server. Instruments of the hot path are fetched once, so that counting a message costs a few
 * additions.
 */
export class ServerMetrics {
  readonly registry = new MetricRegistry();
  readonly families = registerFamilies(this.registry);
  /** Metrics that models declare. */
  readonly declared = new DeclaredFamilies(this.registry);
  readonly mainThread: MainThreadTimer;
  readonly received: MessageCounters;
  readonly sent: MessageCounters;
  readonly #streams = new Map<string, StreamMetrics>();
  readonly #models = new Map<string, ModelMetrics>();
  /** By type. */
  readonly #eventsSent = new Map<string, Counter>();

  /** @param now milliseconds, monotonic */
  constructor(now: () => number = () => performance.now()) {
    const { runtime, stages, traffic } = this.families;
    const seconds = MAIN_THREAD_STAGES.map((stage): [MainThreadStage, Counter] => {
      return [stage, runtime.mainThreadSeconds.with({ stage })];
    });
    const audioStages = { decode: stageInstruments(stages, "decode"), vad: stageInstruments(stages, "vad") };
    this.mainThread = new MainThreadTimer({ seconds: new Map(seconds), audioStages }, now);
    this.received = new MessageCounters(traffic.receivedMessages, traffic.receivedBytes);
    this.sent = new MessageCounters(traffic.sentMessages, traffic.sentBytes);
  }

  /** Returns the metrics of all streams with this pattern and model. */
  stream(pattern: string, model: string): StreamMetrics {
    const key = `${pattern}\0${model}`;
    let streams = this.#streams.get(key);
    if (streams === undefined) {
      streams = new StreamMetrics(this.registry, this.families, { pattern, model });
      this.#streams.set(key, streams);
    }
    return streams;
  }

  model(name: string): ModelMetrics {
    let model = this.#models.get(name);
    if (model === undefined) {
      model = new ModelMetrics(this, name);
      this.#models.set(name, model);
    }
    return model;
  }

  sessionOpened(pattern: string, dialect: string): void {
    this.families.sessions.opened.with({ pattern, dialect }).add();
  }

  sessionRefused(reason: string): void {
    this.families.sessions.refused.with({ reason }).add();
  }

  sessionClosed(reason: string): void {
    this.families.sessions.closed.with({ reason }).add();
  }

  /** Counts a connection from which the server stops reading. */
  sessionPaused(): void {
    this.families.sessions.pauses.with({}).add();
  }

  /** Adds time during which a connection was paused. */
  addPausedTime(ms: number): void {
    this.families.sessions.pausedSeconds.with({}).add(ms / 1000);
  }

  streamRefused(reason: string): void {
    this.families.streams.refused.with({ reason }).add();
  }

  /** Counts an event by its type and code. Its messages are counted by `sent`. */
  eventSent(event: { readonly type: string; readonly code?: unknown }): void {
    const { eventsSent, errors, warnings } = this.families.traffic;
    let sent = this.#eventsSent.get(event.type);
    if (sent === undefined) this.#eventsSent.set(event.type, (sent = eventsSent.with({ type: event.type })));
    sent.add();
    if (event.type === "error") errors.with({ code: String(event.code) }).add();
    else if (event.type === "warning") warnings.with({ code: String(event.code) }).add();
  }
}
