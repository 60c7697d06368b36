import { messageOf } from "../lib/thrown.ts";
import { describeBuildError } from "../model/import-error.ts";
import { failureCode } from "../model/job.ts";
import type { WorkerResult } from "./messages.ts";

const MAX_ERROR_LENGTH = 500;
/** Longest description of a load that failed. It may list several errors. */
export const MAX_LOAD_ERROR_LENGTH = 4_000;

/** Returns the result of a job for which the model threw an error. */
export function failure(error: unknown): WorkerResult {
  const { message, stack } = describeError(error);
  const code = failureCode((error as { readonly code?: unknown } | null | undefined)?.code);
  return { error: message, ...(stack !== undefined && { stack }), ...(code !== undefined && { code }) };
}

/**
 * Returns the message of a thrown value, cut if it is long, and its stack if it has one. Errors of Bun's parser have no
 * stack, or one without their places, which stand before it.
 */
export function describeError(error: unknown, maxLength = MAX_ERROR_LENGTH): { message: string; stack?: string } {
  const message = messageOf(error).slice(0, maxLength);
  const parts = [describeBuildError(error), error instanceof Error ? error.stack : undefined];
  const stack = parts.some((part) => part !== undefined)
    ? parts.filter((part) => part !== undefined).join("\n")
    : undefined;
  return stack === undefined ? { message } : { message, stack };
}
