import type { Config } from "../config/config.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { Tracing } from "../telemetry/tracing/tracing.ts";
import type { Admit } from "./admission.ts";
import type { ServerProcess } from "./server-process.ts";
import type { TlsCredentials } from "./tls/credentials.ts";

/** The program that the server is part of. */
export interface Program {
  readonly version: string;
  /** URL of `worker.ts`. */
  readonly workerUrl: string;
  /** Command line of a process that runs a TypeScript model. */
  readonly modelCommand: readonly string[];
}

export interface ServerOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly program: Program;
  /** Returns milliseconds, monotonic. Default: a clock that stands still while the process is frozen. */
  readonly clock?: () => number;
  /** Default: metrics of its own, and traces that nobody records. */
  readonly telemetry?: { readonly metrics?: ServerMetrics; readonly tracing?: Tracing | undefined };
  /** Decides who may open a session. Default: everybody, known by network address. */
  readonly admit?: Admit;
  /** Certificate and key; default: connections are not encrypted. */
  readonly tls?: TlsCredentials | undefined;
  /** This server is one of several processes. Default: it is alone. */
  readonly process?: ServerProcess | undefined;
}
