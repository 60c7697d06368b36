/**
 * The interface of a model, `streamer/model`. It has types only. The default export of a model file is a `ModelModule`,
 * whose `load` returns the model.
 *
 * A model runs on worker threads. Each worker has its own instance and makes one call at a time, so a call may block;
 * a model that waits instead may take several at once.
 * Console output goes to standard error.
 */

/** Information about one call besides the audio. */
export interface Call {
  /**
   * True for a final result, false for an interim result of an utterance that is still in progress, and for the steps of a
   * pinned model on /segmented.
   */
  readonly final: boolean;
  /** Sample rate of the audio, Hz. */
  readonly sampleRate: number;
  /** Where the audio of the call starts, in seconds from the start of the stream. */
  readonly startSeconds: number;
  /** Number of the utterance that the call belongs to, from 0, on /segmented; `undefined` on other routes. */
  readonly utterance?: number;
  /** `options` of the client's `start`, as sent; `undefined` without options. */
  readonly options: unknown;
  /** W3C trace context of the call. */
  readonly traceparent?: string;
  /**
   * Aborted when the result is not wanted any more: the call has taken too long or its worker is to end. If the module
   * declares `concurrency`, also when the stream has ended or a final has overtaken the interim. The calls of a batch
   * have one signal, which is aborted when none of their results is wanted. Pass it to `fetch`, for example. Only in
   * TypeScript, where it is always present in calls of the server; a property of the prototype, so that copies made with
   * `...` do not have it.
   */
  readonly signal?: AbortSignal;
}

/**
 * A model that processes each span of audio on its own.
 *
 * `audio` is mono, 32-bit float, full scale at -1 and 1. The array is valid until the call has returned, or the promise
 * has resolved: the model may write to it, and must copy what it keeps.
 *
 * An output is a plain object of JSON values. Its fields become fields of the event to the client. The field `audio` is
 * sent as sound: a `Float32Array` at the model's sample rate, or `{ samples: Float32Array, sample_rate }`. The names
 * `type`, `channel`, `start_time`, `end_time`, `is_final` and `timing` are reserved by the protocol.
 *
 * An error that a call throws is sent to the client in place of the result. The stream continues.
 */
export interface Model<Output extends object> {
  /** Returns an output. Instead of an interim result, it may return `undefined`: nothing is sent. */
  infer(audio: Float32Array, call: Call): Output | undefined | Promise<Output | undefined>;
  /** Processes several spans at once. Returns one output for each, in order. See `ModelModule.maxBatch`. */
  inferBatch?(audio: Float32Array[], calls: Call[]): (Output | undefined)[] | Promise<(Output | undefined)[]>;
  /** Runs once before the first call. Without it, the warm-up is a call with one second of silence. */
  warmUp?(): void | Promise<void>;
  /**
   * Releases resources when the server shuts down, and when a call that took too long has returned, since its worker was
   * replaced. Not called in a worker that crashes or is terminated during a call.
   */
  close?(): void | Promise<void>;
}

/**
 * A model that processes a stream block by block and keeps state between the blocks.
 *
 * The state is a value: each call gets the last one and returns the next one. It travels between workers by structured
 * clone, so it should be small, and objects of classes lose their methods. The instance must not keep data of a stream.
 * Audio, outputs and errors are as in `Model`; after an error, the stream continues with the last state.
 */
export interface StatefulModel<Output extends object, State> {
  /** Returns the state at the start of a stream. */
  start(call: Call): State | Promise<State>;
  /** Processes the next block. Returns an output, or `undefined` for none, and the new state. */
  step(
    audio: Float32Array,
    state: State,
    call: Call,
  ): [Output | undefined, State] | Promise<[Output | undefined, State]>;
  /** Returns the last output at the end of a stream, or `undefined` for none. */
  finish?(state: State, call: Call): Output | undefined | Promise<Output | undefined>;
  /**
   * Releases what a state stands for outside of JavaScript, such as memory of a C library, when the stream ends without
   * `finish`: the client disconnected, the stream failed, or the model has no `finish`. Gets the last state of the
   * stream, once, after its last call has ended, in any worker.
   */
  dispose?(state: State): void | Promise<void>;
  /** Runs once before the first call. Without it, the warm-up is a stream with one second of silence. */
  warmUp?(): void | Promise<void>;
  /**
   * Releases resources when the server shuts down, and when a call that took too long has returned, since its worker was
   * replaced. Not called in a worker that crashes or is terminated during a call.
   */
  close?(): void | Promise<void>;
}

/**
 * A model whose streams live in the worker that has opened them, such as a streaming recogniser with native state. A
 * stream gets each of its samples once, in order. A worker has several streams open, which it calls in turns.
 *
 * Audio, outputs and errors are as in `Model`; after an error of `step`, the stream continues. An output with
 * `endpoint: true` ends the utterance on /segmented at the end of the step; the field is not sent to the client.
 */
export interface PinnedModel<Output extends object> {
  /** Opens a stream. */
  open(call: Call): PinnedStream<Output> | Promise<PinnedStream<Output>>;
  /**
   * Makes the next step of several streams at once, no two of which are the same. Returns one output for each, in order,
   * or `undefined` for none. See `ModelModule.maxBatch`.
   */
  stepBatch?(
    streams: PinnedStream<Output>[],
    audio: Float32Array[],
    calls: Call[],
  ): (Output | undefined)[] | Promise<(Output | undefined)[]>;
  /** Runs once before the first call. Without it, the warm-up is a stream with one second of silence. */
  warmUp?(): void | Promise<void>;
  /**
   * Releases resources when the server shuts down, and when a call that took too long has returned, since its worker was
   * replaced. The streams are closed before. Not called in a worker that crashes or is terminated during a call.
   */
  close?(): void | Promise<void>;
}

/** An open stream of a `PinnedModel`. Its methods are called one at a time. */
export interface PinnedStream<Output extends object> {
  /**
   * Processes the next audio. Returns what can be said so far, or `undefined` for nothing new. After an error the stream
   * goes on, unless the error has a property `streamLost` that is true: then it is closed, and the next audio goes to a
   * new stream, as after the death of a worker.
   */
  step(audio: Float32Array, call: Call): Output | undefined | Promise<Output | undefined>;
  /** Returns the result at the end of the utterance, or of the stream on /stateful; `undefined` for none. */
  finish(call: Call): Output | undefined | Promise<Output | undefined>;
  /** Makes the stream ready for the next utterance after `finish`. Without it, the stream is closed and another opened. */
  reset?(): void | Promise<void>;
  /** Releases what the stream holds. Called once, after the last other call; not in a worker that ends otherwise. */
  close(): void | Promise<void>;
}

export type AnyModel = Model<object> | StatefulModel<object, unknown> | PinnedModel<object>;

/** Information for `load`. */
export interface LoadContext {
  /** Number of workers that the server started for this model before this one: 0, 1, 2, ... */
  readonly spawn: number;
  /**
   * Reports why the model cannot serve at the moment; `undefined`: it can again. While all workers of the model that are
   * ready report a reason, starts are refused with `model_unavailable` and the reason, which clients can read: one line
   * of at most 200 characters. Other models go on, and the server stays ready.
   */
  readonly unavailable: (reason: string | undefined) => void;
  /** The metrics that the module declares: see `ModelModule.metrics`. */
  readonly metrics: DeclaredMetrics;
}

/** Labels of one series: a value of at most 64 characters for each label that the metric declares. */
export type MetricLabels = Readonly<Record<string, string>>;

/**
 * Records values of the metrics that a module declares. A wrong use, such as an unknown name or a value that is not
 * finite, is printed once and has no other effect.
 */
export interface DeclaredMetrics {
  /** Adds to a counter. @param value from 0; default 1 */
  add(name: string, labels?: MetricLabels, value?: number): void;
  /** Sets a gauge. The server shows the sum of all workers. */
  set(name: string, labels: MetricLabels, value: number): void;
  /** Counts a value in the buckets of a histogram. */
  observe(name: string, labels: MetricLabels, value: number): void;
}

/** A metric of a model. It is exposed as `streamer_model_NAME`, with the label `model` before its own. */
export interface MetricDeclaration {
  /** A counter is exposed with the suffix `_total`. */
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Names of labels, at most 4. */
  readonly labels?: readonly string[];
  /** Upper bounds of a histogram, ascending, at most 32; default: seconds from 0.005 to 10. */
  readonly buckets?: readonly number[];
}

/** A setting of a model: `model.NAME` in the configuration, `--set model.NAME=VALUE` on the command line. */
export interface SettingDescription {
  readonly default: unknown;
  /** Unit of the value, such as "s", "dB" or "Hz". */
  readonly unit?: string;
  readonly meaning?: string;
}

/** A value that depends on the settings of the model, which are valid and complete. */
export type BySettings<Value> = (settings: Record<string, unknown>) => Value;

/** The default export of a model file. */
export interface ModelModule {
  readonly name: string;
  /** Sample rate of the audio, 4,000 to 384,000 Hz; default 16,000. Streams are resampled to it. */
  readonly sampleRate?: number | BySettings<number>;
  /**
   * Largest number of spans for one `inferBatch` or `stepBatch`, 1 to 1024; default 1. Stateful models are not batched.
   */
  readonly maxBatch?: number;
  /** Longest wait for others to join a batch, 0 to 10,000 ms; default 0: only spans that already wait are combined. */
  readonly maxBatchWaitMs?: number;
  /** True if a call may be repeated: when a worker crashes, its final results are tried once more. Default false. */
  readonly idempotent?: boolean;
  /**
   * True if `load` returns a `StatefulModel`. By default, the loaded model decides: it is stateful if it has `step`.
   */
  readonly stateful?: boolean;
  /**
   * True if `load` returns a `PinnedModel`. By default, the loaded model decides: it is pinned if it has `open`, and
   * neither `infer` nor `step`.
   */
  readonly pinned?: boolean;
  /**
   * True if the model starts spans with `@opentelemetry/api`. If traces are exported, its workers export these spans,
   * too. During a call the span of the call is current; in a batch that of the first call, and the others have
   * `Call.traceparent`.
   */
  readonly traces?: boolean;
  /**
   * The settings of the model by name. Settings that are not configured get their defaults; unknown names, and values
   * of another type than the default, are refused. Without this table, `load` gets all settings as configured.
   */
  readonly settings?: Readonly<Record<string, SettingDescription>>;
  /**
   * Names of the fields in `options` of a client's `start` that the model takes, such as `["language"]`. Others are
   * refused with their name, so that a misspelled option does not go unnoticed. Without this list all are passed on;
   * with an empty one, none is.
   */
  readonly options?: readonly string[] | BySettings<readonly string[]>;
  /**
   * Calls that one instance takes at once, 1 to 1024, for a model that waits for something else, such as a server: each
   * call returns a promise. A model that blocks runs them one after the other. A call that takes too long is aborted by
   * `Call.signal`, and its worker lives on if the promise settles within 5 s. By default, and without these rules, one.
   */
  readonly concurrency?: number | BySettings<number>;
  /** Metrics of the model by name, at most 32, with at most 1,024 series together. See `LoadContext.metrics`. */
  readonly metrics?: Readonly<Record<string, MetricDeclaration>>;
  /** Returns one sentence for each problem with the settings. Runs before `load`. */
  validate?(settings: Record<string, unknown>): string[];
  /** Loads the model. Runs once in every worker. An error stops the start of the server, with its message. */
  load(settings: Record<string, unknown>, context: LoadContext): AnyModel | Promise<AnyModel>;
}
