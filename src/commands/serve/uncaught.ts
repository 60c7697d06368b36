import { FaultLog } from "../../telemetry/log/fault-log.ts";
import type { Logger } from "../../telemetry/log/log.ts";

/**
 * Keeps the process alive when an exception or a rejection reaches nobody, which would end every session: Bun 1.4.5 ends
 * the process for either. It is logged with its stack. Whatever belongs to a session is caught before.
 */
export function surviveUncaught(log: Pick<Logger, "error">): void {
  const faults = new FaultLog(log);
  process.on("uncaughtException", (error) => faults.record("uncaught_exception", error));
  process.on("unhandledRejection", (reason) => faults.record("unhandled_rejection", reason));
}
