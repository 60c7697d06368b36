import type { OfferedModel } from "../../dialects/dialect.ts";
import type { Caller } from "../../protocol/caller.ts";
import type { FaultLog } from "../../telemetry/log/fault-log.ts";
import type { AdmissionHost } from "../admission.ts";

/** The server, as a TCP port uses it. */
export interface TcpHost extends AdmissionHost {
  readonly version: string;
  /** Models that a caller may use, its default first. */
  models(caller: Caller): readonly OfferedModel[];
}

/** What the transport needs of the process. */
export interface TcpProcess {
  /** Receives faults that are no session's. */
  readonly faults: FaultLog;
  /** Returns milliseconds, monotonic. */
  readonly clock: () => number;
  /** A message has been handled. */
  readonly handled: (message: string | Uint8Array) => void;
}
