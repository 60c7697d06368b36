import { type ServiceError, status } from "@grpc/grpc-js";

import { engineWords } from "./engine-words.ts";
import { EngineError } from "./transport.ts";

/** The status of HTTP that `google/rpc/code.proto` gives for each code of gRPC. */
const HTTP_STATUS: Readonly<Record<number, number>> = {
  [status.INVALID_ARGUMENT]: 400,
  [status.FAILED_PRECONDITION]: 400,
  [status.OUT_OF_RANGE]: 400,
  [status.UNAUTHENTICATED]: 401,
  [status.PERMISSION_DENIED]: 403,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.ABORTED]: 409,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.CANCELLED]: 499,
  [status.UNIMPLEMENTED]: 501,
  [status.UNAVAILABLE]: 503,
};
/** For other codes, such as INTERNAL and UNKNOWN. */
const SERVER_ERROR = 500;

/*
 * A status may come from the engine, or from @grpc/grpc-js 1.14.7, which makes one for whatever happens to a call and
 * gives no other sign than these texts.
 */
const NOT_CONNECTED = /^(No connection established|Name resolution failed|Channel closed)/;
const LOST =
  /^(Connection dropped|Stream refused by server|.*\b(ECONNRESET|ETIMEDOUT|EPIPE)\b|Received RST_STREAM with code \d+ triggered by internal client error)/;
const UNREADABLE =
  /^(Received message (larger than|that decompresses)|Response message parsing error|Failed to decompress|No message received|Received HTTP status code 200)/;

/**
 * Returns what the status of a call means. Its message has no address, which those of the library have. Errors without a
 * status are those of @grpc/grpc-js 1.14.7 for answers that it cannot decompress.
 */
export function engineError({ code, details }: Partial<Pick<ServiceError, "code" | "details">>): EngineError {
  if (code === undefined || details === undefined) return new EngineError("bad_answer", "the answer is not readable");
  if (code === status.DEADLINE_EXCEEDED) return new EngineError("timeout", "no answer in time");
  if (NOT_CONNECTED.test(details)) return new EngineError("refused", `no connection to the engine${reason(details)}`);
  if (LOST.test(details)) return new EngineError("reset", `the connection to the engine was lost${reason(details)}`);
  if (UNREADABLE.test(details)) return new EngineError("bad_answer", unreadable(details));
  const words = engineWords(details);
  const name = status[code] ?? `the code ${code} of gRPC`;
  return new EngineError("status", words === "" ? name : `${name}: ${words}`, HTTP_STATUS[code] ?? SERVER_ERROR);
}

/** The code of the system's error, which operators search for, or what is wrong with a certificate. */
function reason(details: string): string {
  const [found] = /\bE[A-Z][A-Z_]{2,}\b|\b(self[- ]signed|unable to|certificate)[\w -]+/.exec(details) ?? [];
  return found === undefined ? "" : ` (${found})`;
}

function unreadable(details: string): string {
  return /larger|decompresses/.test(details)
    ? "the answer is larger than max_answer_bytes"
    : "the answer is not readable";
}
