import { describeValue } from "../../lib/excerpt.ts";
import type { ResultAudio } from "../../model/job.ts";
import type { Ended, Ending } from "../../protocol/ending.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ServerEvent } from "../../protocol/events.ts";
import { isObject, parseJson } from "../../protocol/message-fields.ts";
import type { Dialect, Input, Message } from "../dialect.ts";
import { requestOf } from "../streamer.ts";
import { writeGrpcEvent } from "./responses.ts";
import { statusOf } from "./status.ts";

const NO_INPUTS: readonly Input[] = [];

/**
 * The native protocol with events in protobuf. Requests are text messages with the fields of the native protocol, into
 * which the transport has translated those of the client. A start may have a `pattern` beside them.
 */
export class GrpcDialect implements Dialect {
  readonly #pattern: string;
  readonly #maxChannels: number;

  /** @param pattern name of that of the session */
  constructor(pattern: string, maxChannels: number) {
    this.#pattern = pattern;
    this.#maxChannels = maxChannels;
  }

  begin(): readonly Input[] {
    return NO_INPUTS;
  }

  read(message: Message): readonly Input[] {
    if (typeof message !== "string") return [{ kind: "audio", bytes: message }];
    const { pattern = this.#pattern, ...fields } = objectOf(message);
    if (pattern === this.#pattern) return [requestOf(() => fields, this.#maxChannels)];
    const problem = `pattern: found ${describeValue(pattern)}; allowed: "${this.#pattern}", that of the first start, or none`;
    const error = new ProtocolError("invalid_request", problem, { param: "pattern" });
    return [{ kind: "refused", error, meant: "start" }];
  }

  write(event: ServerEvent, audio?: ResultAudio): readonly Message[] {
    const message = writeGrpcEvent(event, audio);
    return message === undefined ? [] : [message];
  }

  /** `code` is a status of gRPC, `reason` its message. */
  close(ending: Ending, message: string): Ended {
    return { ending, code: statusOf(ending), reason: ending === "stop" ? "" : message || ending };
  }
}

/** The transport writes objects. Whatever else came has no field that is known. */
function objectOf(message: string): Readonly<Record<string, unknown>> {
  try {
    const value = parseJson(message);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
