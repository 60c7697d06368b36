import type { JobFailure } from "../job.ts";
import { EngineError } from "./transport.ts";

const CODES: Readonly<Record<EngineError["fault"], JobFailure>> = {
  refused: "model_unavailable",
  reset: "model_unavailable",
  status: "inference_failed",
  timeout: "inference_timeout",
  aborted: "inference_timeout",
  bad_answer: "inference_failed",
};

/** An engine has too much to do, or is not there: another one, or the same one soon, may do. */
export const BUSY_OR_DOWN: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** A call without a result, as the model throws it. */
export class RemoteFailure extends Error {
  override readonly name = "RemoteFailure";
  /** Code of the error event. */
  readonly code: JobFailure;
  /** The state of a sequence is lost: see `PinnedStream`. */
  readonly streamLost: boolean;

  constructor(code: JobFailure, message: string, streamLost = false) {
    super(message);
    this.code = code;
    this.streamLost = streamLost;
  }

  static from(error: EngineError, streamLost = false): RemoteFailure {
    const code = BUSY_OR_DOWN.has(error.status ?? 0) ? "model_unavailable" : CODES[error.fault];
    return new RemoteFailure(code, `the inference server: ${error.message}`, streamLost);
  }

  /** Returns what `run` returns. Throws RemoteFailure in place of an EngineError. */
  static instead<Value>(run: () => Value): Value {
    try {
      return run();
    } catch (error) {
      throw error instanceof EngineError ? RemoteFailure.from(error) : error;
    }
  }

  /** No endpoint takes calls. @param reason that of `Endpoints`; undefined: one is being tried */
  static unavailable(reason = "the inference server is being tried again"): RemoteFailure {
    return new RemoteFailure("model_unavailable", reason);
  }
}
