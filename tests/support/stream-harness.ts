import { Arena, type AudioSpan } from "../../src/audio/arena.ts";
import type { SampleFormat } from "../../src/lib/sample-format.ts";
import type { Outcome } from "../../src/model/job.ts";
import type { Pattern, PatternContext, Prepared } from "../../src/pipeline/pattern.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import type { AudioJob, Lane } from "../../src/pool/lane.ts";
import { type ChannelLedger, parseEvent, type ServerEvent } from "../../src/protocol/events.ts";
import { type AudioFormat, frameBytes } from "../../src/protocol/format.ts";
import type { VadSettings } from "../../src/protocol/vad-settings.ts";
import { Memory } from "../../src/stream/memory.ts";
import type { StreamOwner } from "../../src/stream/owner.ts";
import type { StreamPlan } from "../../src/stream/plan.ts";
import type { Resumable } from "../../src/stream/resume/resumable.ts";
import type { ServedModel } from "../../src/stream/services.ts";
import { StreamTelemetry } from "../../src/stream/stream-telemetry.ts";
import { Stream } from "../../src/stream/stream.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";
import { untracedConnection } from "../../src/telemetry/tracing/no-tracing.ts";
import { SpanReader } from "../../src/worker/span-reader.ts";
import { unlimitedAdmission } from "./admission.ts";
import { encode, sampleFields, seeded, speech } from "./audio.ts";
import { shortSection } from "./pattern-settings.ts";

interface Waiting {
  readonly lane: Lane;
  readonly job: AudioJob;
  readonly settle: (outcome: Outcome) => void;
}

/** A model without threads: jobs wait until the test lets one, of its choice, be answered. */
export class FakeModel implements ServedModel {
  readonly name = "fake";
  readonly ownName = "fake";
  readonly generation = 1;
  readonly maxBatch = 1;
  readonly keepsState: boolean;
  readonly pinned: StreamCase["pinned"];
  readonly sampleRate: number;
  /** What the streams of a pinned model have heard since they were opened or reset. */
  readonly #heard = new Map<Lane, number>();
  readonly #arena: Arena;
  readonly #reader: SpanReader;
  /** Of all contents one in so many fails, always the same. 0: none. */
  readonly #failEvery: number;
  readonly waiting: Waiting[] = [];
  /** Lanes that are open. */
  lanes = 0;

  constructor(arena: Arena, sampleRate: number, failEvery: number, kind: ModelKind) {
    this.keepsState = kind.keepsState ?? false;
    this.pinned = kind.pinned;
    this.#arena = arena;
    this.#reader = new SpanReader(arena.samples);
    this.sampleRate = sampleRate;
    this.#failEvery = failEvery;
  }

  get finalsPending(): number {
    return this.waiting.filter(({ job }) => job.kind === "final").length;
  }

  lane(): Lane {
    this.lanes += 1;
    let open = true;
    const lane: Lane = {
      submit: (job, settle) => {
        this.#arena.retainSpan(job.audio);
        this.#drop(lane, (other) => other.kind === "interim");
        this.waiting.push({ lane, job, settle });
        if (!open) this.#drop(lane, () => true);
      },
      close: () => {
        if (open) this.lanes -= 1;
        open = false;
        this.#drop(lane, () => true);
      },
    };
    return lane;
  }

  /** Answers one job, looking at its samples only now. */
  answer(choice: number): void {
    const [taken] = this.waiting.splice(Math.floor(choice * this.waiting.length), 1);
    if (taken === undefined) throw new Error("no job waits");
    const { job, settle } = taken;
    // The results of a model with state depend on everything before them.
    if (job.step === "start") this.#heard.delete(taken.lane);
    const before = this.pinned === undefined ? job.state : this.#heard.get(taken.lane);
    const digest = (this.#digest(job.audio) + Math.imul(typeof before === "number" ? before : 0, 31)) >>> 0;
    this.#release(job);
    const times = { queueMs: 0, inferMs: 0 };
    if (this.#failEvery > 0 && digest % this.#failEvery === 0) {
      settle({ status: "failed", code: "inference_failed", message: "as the test wants", thrown: true, ...times });
    } else if (this.pinned !== undefined) {
      this.#answerPinned(taken, digest);
    } else {
      const output = {
        count: job.audio.length,
        digest,
        ...(job.utterance !== undefined && { utterance: job.utterance }),
      };
      settle({ status: "ok", output, state: digest, ...times, worker: 0, batchSize: 1 });
    }
  }

  /** One step in eight is the end of an utterance. */
  #answerPinned({ lane, job, settle }: Waiting, digest: number): void {
    const { utterance } = job;
    const output = { digest, ...(utterance !== undefined && { utterance }) };
    const ends = job.step === "finish";
    if (ends && utterance !== undefined) this.#heard.delete(lane);
    else this.#heard.set(lane, digest);
    const endpoint = !ends && digest % 8 === 0 ? ({ endpoint: true } as const) : {};
    settle({ status: "ok", output, ...endpoint, queueMs: 0, inferMs: 0, worker: 0, batchSize: 1 });
  }

  #drop(lane: Lane, which: (job: AudioJob) => boolean): void {
    for (const each of this.waiting.filter((waiting) => waiting.lane === lane && which(waiting.job))) {
      this.waiting.splice(this.waiting.indexOf(each), 1);
      this.#release(each.job);
      queueMicrotask(() => each.settle({ status: "dropped" }));
    }
  }

  #release(job: AudioJob): void {
    this.#arena.releaseSpan(job.audio);
  }

  /** A number that any change of any sample changes. */
  #digest(span: AudioSpan): number {
    const [samples = new Float32Array(0)] = this.#reader.read([span]);
    const bits = new Uint32Array(samples.buffer, samples.byteOffset, samples.length);
    return bits.reduce((digest, sample) => (Math.imul(digest, 31) + sample) >>> 0, samples.length);
  }
}

/** What a model keeps between the calls of a stream; default: nothing. */
export interface ModelKind {
  readonly keepsState?: boolean;
  readonly pinned?: PatternContext["pinned"];
}

/** What is to be streamed, and how. */
export interface StreamCase extends ModelKind {
  readonly pattern: string;
  readonly sampleFormat: SampleFormat;
  readonly channels: number;
  readonly sampleRate: number;
  readonly modelRate: number;
  readonly vad?: Partial<VadSettings>;
  readonly blockMs?: number;
  readonly interimIntervalMs?: number;
  readonly failEvery?: number;
  readonly budgetSeconds?: number;
  readonly maxPending?: number;
  readonly flushAfterMs?: number;
}

/**
 * The least slabs with which a channel that may hold this much is never stuck: its span, the borders around it, and one
 * to go on.
 */
export function slabsFor(streamCase: StreamCase): number {
  const holds = holdsMs(streamCase) + 50;
  return streamCase.channels * (Math.ceil((holds * streamCase.modelRate) / 1000 / Arena.SLAB_SAMPLES) + 3);
}

export function holdsMs(streamCase: StreamCase): number {
  return prepared(streamCase).holdsMs;
}

/** The pattern's plan for a case, as a server with these settings would make it. */
function prepared({
  pattern: name,
  vad,
  blockMs = 100,
  interimIntervalMs,
  modelRate,
  keepsState = false,
  pinned,
}: StreamCase): Prepared {
  const pattern = patternOf(name);
  const section = shortSection(pattern, { ...vad, block_ms: blockMs });
  const start = { interim_results: interimIntervalMs !== undefined, interim_interval_ms: interimIntervalMs ?? 500 };
  const context = { sampleRate: modelRate, keepsState, pinned, maxHoldMs: Infinity };
  return pattern.prepare(start, section, context);
}

function patternOf(name: string): Pattern {
  const pattern = PATTERNS[name];
  if (pattern === undefined) throw new Error(`no pattern ${name}`);
  return pattern;
}

/** Counts how often somebody found the memory full. */
class WatchedMemory extends Memory {
  waits = 0;

  override wait(...args: Parameters<Memory["wait"]>): void {
    this.waits += 1;
    super.wait(...args);
  }
}

/** The server's side of streams without sockets, threads and time. */
export class StreamHarness {
  readonly arena: Arena;
  readonly model: FakeModel;
  readonly memory: WatchedMemory;
  readonly #next: () => number;

  /** Milliseconds. */
  now = 0;

  constructor(slabs: number, modelRate: number, failEvery: number, seed: number, kind: ModelKind = {}) {
    this.arena = new Arena(slabs);
    this.model = new FakeModel(this.arena, modelRate, failEvery, kind);
    this.memory = new WatchedMemory(this.arena);
    this.#next = seeded(seed);
  }

  chance(): number {
    return this.#next();
  }

  /** Lets what is to happen at once happen. */
  async runDeferred(): Promise<void> {
    for (let i = 0; i < 6; i++) await Promise.resolve();
  }

  /** Answers up to so many jobs, any. */
  async answer(count: number): Promise<void> {
    for (let i = 0; i < count && this.model.waiting.length > 0; i++) {
      this.model.answer(this.#next());
      if (this.#next() < 0.3) await this.runDeferred();
    }
    await this.runDeferred();
  }
}

/** One stream on a harness, and what it has said. */
export class DrivenStream {
  readonly stream: Stream;
  readonly events: ServerEvent[] = [];
  readonly faults: unknown[] = [];
  readonly streamCase: StreamCase;
  evicted = false;
  #progressing = false;
  readonly #harness: StreamHarness;

  /** @param resumable undefined: the stream cannot be resumed */
  constructor(harness: StreamHarness, streamCase: StreamCase, resumable?: Resumable) {
    this.#harness = harness;
    this.streamCase = streamCase;
    const { pattern: name, modelRate } = streamCase;
    const budgetMs =
      streamCase.budgetSeconds === undefined ? holdsMs(streamCase) + 10_000 : streamCase.budgetSeconds * 1000;
    const pattern = patternOf(name);
    const format = formatOf(streamCase);
    const plan: StreamPlan = {
      format,
      pattern,
      prepared: prepared(streamCase),
      model: harness.model,
      modelOptions: undefined,
      timing: false,
      flushAfterMs: streamCase.flushAfterMs ?? 0,
      budgetSamples: Math.floor((budgetMs / 1000) * modelRate),
      maxPending: streamCase.maxPending ?? 256,
      started: {
        format,
        model: harness.model.name,
        sample_rate: modelRate,
        limits: { max_message_bytes: 1, max_channels: 1, idle_timeout_ms: 1, session_ms: 0 },
      },
    };
    const owner: StreamOwner = {
      caller: { id: "test", address: "", limits: { maxSessions: 0 } },
      send: (event) => this.events.push(parseEvent(JSON.stringify(event))) > 0,
      progress: () => void this.advance(),
      failed: (error) => void this.faults.push(error),
      evicted: () => void (this.evicted = true),
    };
    const trace = untracedConnection().startStream({
      traceparent: undefined,
      tracestate: undefined,
      session: "case",
      stream: 0,
      pattern: name,
      usesVad: pattern.usesVad,
    });
    const { arena, memory } = harness;
    const metrics = new ServerMetrics();
    const admission = unlimitedAdmission(arena);
    const clock = () => harness.now;
    const telemetry = new StreamTelemetry({ metrics, clock }, trace, name, plan.model);
    this.stream = new Stream(plan, owner, { arena, memory, metrics, admission, clock }, telemetry, resumable);
  }

  /** As a session does: also from inside of itself. */
  advance(): boolean {
    if (this.#progressing) return false;
    this.#progressing = true;
    try {
      return this.stream.advance();
    } finally {
      this.#progressing = false;
    }
  }

  /** Offers a message and goes on until it is taken, with the model's help where that is needed. */
  async send(bytes: Uint8Array): Promise<void> {
    this.stream.offer(bytes);
    await this.#until(() => this.advance() && !this.stream.full);
  }

  flush(): void {
    this.stream.flush();
  }

  async stop(): Promise<void> {
    this.stream.end("stop");
    this.advance();
    await this.#until(() => this.stream.over);
  }

  /** What may not depend on how bytes are cut and how fast results come. */
  get essence(): Essence {
    return essenceOf(this.events, this.streamCase.channels);
  }

  /** Finals and errors in their place, for each channel. */
  get finals(): number[] {
    return this.ledgers.map(({ segments, errors }) => segments + errors);
  }

  get ledgers(): readonly ChannelLedger[] {
    const stopped = this.events.at(-1);
    if (stopped?.type !== "stopped") throw new Error("the stream has not stopped");
    return stopped.channels;
  }

  async #until(done: () => boolean): Promise<void> {
    for (let idle = 0; !done();) {
      if (this.faults.length > 0) throw this.faults[0];
      if (this.evicted) throw new Error("the stream was evicted");
      if (this.#harness.model.waiting.length > 0)
        await this.#harness.answer(1 + Math.floor(this.#harness.chance() * 3));
      else {
        // A sweep or two may pass before somebody else's memory is free.
        await this.#harness.runDeferred();
        this.#harness.memory.check(0);
        idle += 1;
        if (idle > 20) throw new Error("nothing is under way that could let the stream go on");
      }
    }
  }
}

export function formatOf({ sampleFormat, channels, sampleRate }: StreamCase): AudioFormat {
  return { channels, sample_rate: sampleRate, ...sampleFields(sampleFormat) };
}

export function frameBytesOf(streamCase: StreamCase): number {
  return frameBytes(formatOf(streamCase));
}

/** Speech in every channel, a different one each, in the streamCase's own format. */
export function spoken(streamCase: StreamCase, seed: number, words: readonly number[]): Uint8Array {
  const channels = Array.from({ length: streamCase.channels }, (_, c) =>
    speech(c % 2 === 0 ? words : words.toReversed(), { rate: streamCase.sampleRate, seed: seed + 31 * c }),
  );
  const frames = Math.min(...channels.map(({ length }) => length));
  return encode(streamCase.sampleFormat, ...channels.map((samples) => samples.subarray(0, frames)));
}

export interface Essence {
  readonly speech: unknown[];
  readonly results: unknown[];
  readonly warnings: unknown[];
  readonly stopped: unknown;
}

/** What of a stream's events may not depend on how bytes are cut and how fast results come. */
export function essenceOf(events: readonly ServerEvent[], channels: number): Essence {
  const all = events.filter((event) => event.type !== "segment" || event.is_final !== false);
  const byChannel = (types: readonly string[]): unknown[] =>
    Array.from({ length: channels }, (_, channel) =>
      all.filter((event) => types.includes(event.type) && "channel" in event && event.channel === channel),
    );
  const stopped = all.find((event) => event.type === "stopped");
  return {
    speech: byChannel(["active", "inactive"]),
    results: byChannel(["segment", "data", "error", "flushed"]),
    // Their place among the other events is free.
    warnings: all
      .filter(({ type }) => type === "warning")
      .map((event) => JSON.stringify(event))
      .toSorted(),
    stopped: stopped && { ...stopped, channels: stopped.channels.map((ledger) => ({ ...ledger, interims: 0 })) },
  };
}
