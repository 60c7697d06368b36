/** The public interface of a model, `streamer/model`: types only. A model file's default export is a `ModelModule`; everything
 *  else follows from its `load`.
 *
 *  Models run on worker threads, one instance a worker and one call at a time, so they may block. What they print goes to
 *  standard error. */

/** What a model is told about one call beside the audio. */
export interface Call {
  /** True when the result is final; false for an interim result of an utterance still being spoken. */
  readonly final: boolean;
  /** Samples per second of the audio. */
  readonly sampleRate: number;
  /** `options` of the client's `start`, as sent; `undefined` when there were none. */
  readonly options: unknown;
  /** W3C trace context of the caller. */
  readonly traceparent?: string;
}

/** Every piece of audio on its own.
 *
 *  `audio` is mono f32 and lent until the result is there: the model may write into it, and copies what it wants to keep.
 *  An output is a plain object that JSON can carry. Its fields are sent to the client as they are, except `audio`: a
 *  `Float32Array` at the model's rate, or `{ samples, sample_rate }`, is sent as sound. The names
 *  `type channel start_time end_time is_final timing` are taken by the protocol. */
export interface Model<Output extends object> {
  infer(audio: Float32Array, call: Call): Output | Promise<Output>;
  /** Several pieces in one go: one output for each, in order. */
  inferBatch?(audio: Float32Array[], calls: Call[]): Output[] | Promise<Output[]>;
  /** Called once before the first call; without it, the model is warmed with one second of silence. */
  warmUp?(): void | Promise<void>;
  close?(): void | Promise<void>;
}

/** Each piece after the one before. The state is a value: it travels with the work from worker to worker by structured clone,
 *  so keep it small, and keep nothing of a stream in the instance. */
export interface StatefulModel<Output extends object, State> {
  start(call: Call): State | Promise<State>;
  step(
    audio: Float32Array,
    state: State,
    call: Call,
  ): [Output | undefined, State] | Promise<[Output | undefined, State]>;
  /** What is left to say at the end of a stream. */
  finish?(state: State, call: Call): Output | undefined | Promise<Output | undefined>;
  warmUp?(): void | Promise<void>;
  close?(): void | Promise<void>;
}

export type AnyModel = Model<object> | StatefulModel<object, unknown>;

/** Where a model is being loaded. */
export interface LoadContext {
  /** How many workers this server started for this model before this one: 0, 1, 2, ... */
  readonly spawn: number;
}

/** One setting of a model: `model.NAME` in the configuration, `--set model.NAME=...` on the command line. */
export interface SettingDescription {
  readonly default: unknown;
  /** What the value counts, such as "s", "dB" or "Hz". */
  readonly unit?: string;
  readonly meaning?: string;
}

export interface ModelModule {
  readonly name: string;
  /** Samples per second that the model wants; 4,000 to 384,000, default 16,000. */
  readonly sampleRate?: number;
  /** Pieces that one `inferBatch` takes; default 1. Stateful models are not batched. */
  readonly maxBatch?: number;
  /** Milliseconds that a piece may be held for others to join its batch; default 0: only what waits already goes together. */
  readonly maxBatchWaitMs?: number;
  /** True when a call may be repeated: work is then tried once more when its worker dies. Default false. */
  readonly idempotent?: boolean;
  /** True when `load` gives a `StatefulModel`. When absent, the loaded model is looked at. */
  readonly stateful?: boolean;
  /** True when the model begins spans of its own with `@opentelemetry/api`: when traces are exported, its worker then is set up for
   *  them, and the span of the call is the current one inside of it (of a batch's first call; the others have `traceparent`). */
  readonly traces?: boolean;
  /** What can be set. Defaults are filled in; other names, and values of another type than the default, are refused.
   *  Without it, `load` is given whatever was set. */
  readonly settings?: Readonly<Record<string, SettingDescription>>;
  /** One sentence for each thing that is wrong with the settings; asked before `load`. */
  validate?(settings: Record<string, unknown>): string[];
  load(settings: Record<string, unknown>, context: LoadContext): AnyModel | Promise<AnyModel>;
}
