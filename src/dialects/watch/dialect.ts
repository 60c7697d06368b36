import type { Ended, Ending } from "../../protocol/ending.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ServerEvent } from "../../protocol/events.ts";
import { parseJson } from "../../protocol/message-fields.ts";
import { readRequest } from "../../protocol/requests.ts";
import type { Dialect, Input, Message } from "../dialect.ts";
import { StreamerDialect } from "../streamer.ts";

const ALLOWED = 'allowed: {"request":"keep_alive"}, since this connection watches calls';

/**
 * The native protocol for connections that watch calls: they send nothing but requests to stay open. What they get about
 * calls comes from the session. `docs/dialects/calls.md` describes it.
 */
export class WatchDialect implements Dialect {
  readonly #native = new StreamerDialect(1);

  begin(): readonly Input[] {
    return [];
  }

  read(message: Message): readonly Input[] {
    return [readInput(message)];
  }

  write(event: ServerEvent): readonly Message[] {
    return this.#native.write(event);
  }

  close(ending: Ending): Ended {
    return this.#native.close(ending);
  }
}

function readInput(message: Message): Input {
  if (typeof message !== "string") return refused("a binary message");
  try {
    const request = readRequest(parseJson(message), { maxChannels: 1 });
    return request.request === "keep_alive" ? { kind: "request", request } : refused(`the request ${request.request}`);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { kind: "refused", error };
  }
}

function refused(found: string): Input {
  return { kind: "refused", error: new ProtocolError("invalid_request", `found ${found}; ${ALLOWED}`) };
}
