/** Messages between the pool and its workers. Those of a call without state or sound travel as JSON text, because Bun hands
 *  strings from thread to thread without cloning; samples never travel in one. */

/** Pool to worker, once: what to load. */
export interface LoadMessage {
  readonly type: "load";
  readonly arena: SharedArrayBuffer;
  readonly model: string;
  readonly settings: Record<string, unknown>;
  readonly spawn: number;
  readonly warmUp: boolean;
}

/** Pool to worker: `options` of a lane, before its first call there. */
export interface OptionsMessage {
  readonly type: "options";
  readonly lane: number;
  readonly options: unknown;
}

/** Pool to worker: the lane is closed. */
export interface ForgetMessage {
  readonly type: "forget";
  readonly lane: number;
}

/** Pool to worker: one call, of one or more pieces. */
export interface CallMessage {
  readonly type: "call";
  readonly call: number;
  readonly pieces: readonly Piece[];
}

export interface Piece {
  readonly lane: number;
  readonly final: boolean;
  readonly slabs: readonly number[];
  readonly offset: number;
  readonly length: number;
  readonly step?: "start" | "step" | "finish";
  readonly state?: unknown;
  readonly traceparent?: string;
}

/** Pool to worker: let the model close what it has open, and end. */
export interface CloseMessage {
  readonly type: "close";
}

export type ToWorker = LoadMessage | OptionsMessage | ForgetMessage | CallMessage | CloseMessage;

/** What the pool needs to know about a loaded model. */
export interface ModelInfo {
  readonly name: string;
  readonly sampleRate: number;
  readonly stateful: boolean;
  readonly maxBatch: number;
  readonly maxBatchWaitMs: number;
  readonly idempotent: boolean;
  /** It has a `close` to be called. */
  readonly closes: boolean;
  /** Milliseconds that load and warm-up took. */
  readonly loadMs: number;
}

/** Worker to pool: the model is loaded and warm. */
interface ReadyMessage {
  readonly type: "ready";
  readonly info: ModelInfo;
}

/** Worker to pool: the model cannot be loaded. */
interface LoadFailedMessage {
  readonly type: "load_failed";
  readonly message: string;
  readonly stack?: string;
}

/** Worker to pool: the call has ended, with an answer for each piece, in order. */
export interface DoneMessage {
  readonly type: "done";
  readonly call: number;
  readonly inferMs: number;
  readonly answers: readonly Answer[];
}

export interface Answer {
  /** In a message that is text. */
  readonly output?: Record<string, unknown>;
  /** The same as text, in a message that is not. */
  readonly outputJson?: string;
  readonly audio?: { readonly samples: Float32Array; readonly sampleRate: number };
  readonly state?: unknown;
  /** Why there is no result. */
  readonly error?: string;
  readonly stack?: string;
}

export type FromWorker = ReadyMessage | LoadFailedMessage | DoneMessage;

/** An answer as the worker has it. */
export type CheckedAnswer = Omit<Answer, "output">;

/** A call as it is posted: text when nothing in it needs cloning. */
export function encodeCall(message: CallMessage): CallMessage | string {
  for (const piece of message.pieces) if (piece.state !== undefined) return message;
  return JSON.stringify(message);
}

/** The answers as they are posted. Outputs are JSON already and are not encoded twice. */
export function encodeDone(call: number, inferMs: number, answers: readonly CheckedAnswer[]): DoneMessage | string {
  let text = "";
  for (const answer of answers) {
    if (answer.audio || answer.state !== undefined) return { type: "done", call, inferMs, answers };
    const { outputJson, ...rest } = answer;
    const encoded = outputJson === undefined ? JSON.stringify(rest) : `{"output":${outputJson}}`;
    text += text === "" ? encoded : `,${encoded}`;
  }
  return `{"type":"done","call":${call},"inferMs":${inferMs},"answers":[${text}]}`;
}

export function decode(data: unknown): unknown {
  return typeof data === "string" ? JSON.parse(data) : data;
}
