import type { Logger } from "../telemetry/log/log.ts";
import type { ModelOutput } from "./process-host.ts";

/**
 * Returns a receiver that logs what a model prints.
 * @param key of the model below `models`; undefined: the default model, which has the name that it exports
 * @param path takes the place of that name until the model is loaded
 */
export function logOutput(log: Pick<Logger, "info">, key: string | undefined, path: string): ModelOutput {
  return ({ name, worker, stream, text, leftOut }) => {
    const model = key ?? name ?? path;
    log.info("model_output", { model, worker, stream, text, ...(leftOut > 0 && { left_out: leftOut }) });
  };
}
