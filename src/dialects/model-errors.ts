const MODEL_ERRORS: readonly string[] = [
  "inference_failed",
  "inference_timeout",
  "worker_crashed",
  "model_unavailable",
];

/** Returns true for an error of one call of the model, after which an open stream goes on. */
export function isModelError(code: string): boolean {
  return MODEL_ERRORS.includes(code);
}
