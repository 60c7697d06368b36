import type { Call } from "../model/model.ts";
import type { JobMessage } from "./messages.ts";

export type AbortCause = "timeout" | "unwanted" | "closed";

const MESSAGES: Readonly<Record<AbortCause, string>> = {
  timeout: "the call took too long",
  unwanted: "nobody wants the result any more",
  closed: "the worker is to end",
};

/** The signal of a call, which is made when the model asks for it. */
export class CallSignal {
  #controller: AbortController | undefined;
  #cause: AbortCause | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cause !== undefined) this.#controller.abort(reasonOf(this.#cause));
    }
    return this.#controller.signal;
  }

  abort(cause: AbortCause): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.#controller?.abort(reasonOf(cause));
  }
}

function reasonOf(cause: AbortCause): DOMException {
  return new DOMException(MESSAGES[cause], cause === "timeout" ? "TimeoutError" : "AbortError");
}

/** A job as the model gets it, besides its audio. */
export class ModelCall implements Call {
  readonly final: boolean;
  readonly sampleRate: number;
  readonly startSeconds: number;
  readonly options: unknown;
  declare readonly utterance?: number;
  declare readonly traceparent?: string;
  readonly #signal: CallSignal;

  constructor(
    { final, start, utterance, traceparent }: JobMessage,
    sampleRate: number,
    options: unknown,
    signal: CallSignal,
  ) {
    this.final = final;
    this.sampleRate = sampleRate;
    this.startSeconds = start / sampleRate;
    this.options = options;
    if (utterance !== undefined) this.utterance = utterance;
    if (traceparent !== undefined) this.traceparent = traceparent;
    this.#signal = signal;
  }

  get signal(): AbortSignal {
    return this.#signal.signal;
  }
}
