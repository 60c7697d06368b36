import type { Clock } from "../../lib/clock.ts";
import type { TraceExport } from "../../telemetry/tracing/trace-export.ts";
import type { ByteStream } from "../terminal/input.ts";
import type { ByteOutput, Output } from "../terminal/output.ts";

/** The process as the command uses it. Tests replace it. */
export interface SendIo {
  /** Opens standard input. Reading ends when the signal is aborted. */
  readonly stdin: (signal: AbortSignal) => ByteStream;
  /** The results: standard output, or standard error if standard output gets audio. */
  readonly out: Output;
  readonly err: Output;
  /** Standard output, for audio. */
  readonly audioOut: ByteOutput;
  readonly clock: Clock;
  /** Aborted by the first Ctrl-C: sending ends, and the results of the audio sent are still received. */
  readonly interrupt: AbortSignal;
  /** Undefined: spans are not exported. */
  readonly traceExport?: TraceExport | undefined;
  readonly colour: boolean;
}
