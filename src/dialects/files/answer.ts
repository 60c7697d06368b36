import * as v from "valibot";

import type { ErrorCode, ErrorRow, ProtocolError } from "../../protocol/errors.ts";
import type { Message } from "../dialect.ts";

/** Milliseconds after which a client may try again, if the error does not say. */
const RETRY_AFTER_MS = 1_000;

/** Schema of the first message of an answer. */
export const answerHeadSchema = v.object({
  status: v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)),
  headers: v.record(v.string(), v.string()),
  /** The body comes in parts, each as soon as it is known. */
  streamed: v.boolean(),
});
export type AnswerHead = v.InferOutput<typeof answerHeadSchema>;

/** The answer to an upload. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Statuses of errors that have none in the table of errors, or another one. */
const STATUSES: Partial<Record<ErrorCode, number>> = {
  message_too_big: 413,
  unsupported_format: 415,
  format_mismatch: 415,
  start_timeout: 408,
  idle_timeout: 408,
  session_limit: 408,
  inference_timeout: 504,
  slow_reader: 408,
  unknown_model: 404,
  upgrade_required: 400,
};

/** The status of the answer that reports an error. */
export function statusOf({ code, row }: Pick<ProtocolError, "code" | "row">): number {
  const { retryable, status = retryable ? 503 : 500 }: ErrorRow = row;
  return STATUSES[code] ?? status;
}

/** Returns an answer in JSON. */
export function jsonAnswer(body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 200, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}

/** Returns the answer that reports an error with a body in JSON. */
export function errorAnswer(error: ProtocolError, body: unknown): Answer {
  const { retryable, retryAfterMs = RETRY_AFTER_MS }: ErrorRow = error.row;
  const status = statusOf(error);
  const seconds = Math.max(1, Math.ceil((error.retry_after_ms ?? retryAfterMs) / 1_000));
  return {
    ...jsonAnswer(body, {
      ...(retryable && { "retry-after": String(seconds) }),
      ...(status === 401 && { "www-authenticate": "Bearer" }),
    }),
    status,
  };
}

/** Returns the messages of an answer: its head, as JSON, then its body. */
export function answerMessages({ status, headers, body }: Answer): readonly Message[] {
  return [answerHead({ status, headers, streamed: false }), body];
}

/** Returns the first message of an answer. */
export function answerHead(head: AnswerHead): Message {
  return JSON.stringify(head);
}
