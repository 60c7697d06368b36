import type { Logger } from "../telemetry/log/log.ts";
import type { ModelOutput } from "./process-host.ts";

/** Returns a receiver that logs what a model prints. @param model its name in the log */
export function logOutput(log: Pick<Logger, "info">, model: string): ModelOutput {
  return ({ worker, stream, text, leftOut }) => {
    log.info("model_output", { model, worker, stream, text, ...(leftOut > 0 && { left_out: leftOut }) });
  };
}
