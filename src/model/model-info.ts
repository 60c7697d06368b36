import type { MetricDeclaration } from "./model.ts";

/** Properties of a loaded model. `ModelModule` is where a model declares them. */
export interface ModelInfo {
  readonly name: string;
  /** Hz. */
  readonly sampleRate: number;
  /** States are values that the server keeps between the calls. */
  readonly stateful: boolean;
  /** Streams live in the worker that has opened them. */
  readonly pinned: boolean;
  /** The model has `dispose`: states that are dropped must be given to it. */
  readonly disposes: boolean;
  /** States are bytes that only processes of the model can read: see `EncodedState`. */
  readonly encodesStates?: boolean;
  /** Jobs in one call, from 1; 1 for stateful models. */
  readonly maxBatch: number;
  /** Time for which a job that could run waits for others to join its batch. */
  readonly maxBatchWaitMs: number;
  /** A call may be repeated. Finals are called once more when their worker ends during the call. */
  readonly idempotent: boolean;
  /** Names of the options that the model takes; undefined: it does not say, and takes all. */
  readonly options?: readonly string[];
  /** See `ModelModule`; undefined: the model does not declare it. */
  readonly concurrency?: number;
  /** Metrics that the model declares. */
  readonly metrics?: Readonly<Record<string, MetricDeclaration>>;
  /** The model has loaded a native add-on (Node-API) in a thread, which cannot be interrupted then. False in a process. */
  readonly nativeAddon: boolean;
  /** Duration of the warm-up. */
  readonly warmUpMs: number;
  /** The warm-up was a call with a second of silence, since the model has none of its own. */
  readonly warmedByCall: boolean;
  /** Duration of load and warm-up. */
  readonly loadMs: number;
  /** What runs a model in Python. */
  readonly python?: PythonInfo;
}

/** An interpreter of Python, and its NumPy. */
interface PythonInfo {
  readonly executable: string;
  /** Such as "3.11.7". */
  readonly version: string;
  /** Such as "CPython". */
  readonly implementation: string;
  /** Version of NumPy; undefined: there is none, and audio is a memoryview. */
  readonly numpy?: string;
}
