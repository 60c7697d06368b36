import type { ProtocolError } from "../../../protocol/errors.ts";
import { type Answer, errorAnswer, statusOf } from "../../files/answer.ts";
import type { ErrorBody } from "./messages.ts";

/** OpenAI's names of some errors. */
const NAMES: Readonly<Record<string, string>> = {
  unauthorized: "invalid_api_key",
  too_many_sessions: "rate_limit_exceeded",
};

/** Returns the body that reports an error. */
export function errorBody(error: ProtocolError): ErrorBody {
  const { code, message, param } = error;
  const status = statusOf(error);
  const type = status === 429 ? "requests" : status < 500 ? "invalid_request_error" : "server_error";
  const name = param === "model" ? "model_not_found" : (NAMES[code] ?? code);
  return { error: { message, type, param: param ?? null, code: name } };
}

/** Returns the answer that reports an error. A model that is not known is not found. */
export function refuse(error: ProtocolError): Answer {
  const answer = errorAnswer(error, errorBody(error));
  return error.param === "model" ? { ...answer, status: 404 } : answer;
}
