import * as v from "valibot";

import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { parseJson } from "../../protocol/message-fields.ts";
import type { CallMessage, CallReader } from "../call-dialect.ts";
import type { Message } from "../dialect.ts";
import type { AudioSocketText } from "./framer.ts";

const textSchema: v.GenericSchema<AudioSocketText> = v.variant("kind", [
  v.object({ kind: v.literal("uuid"), uuid: v.pipe(v.string(), v.uuid()) }),
  v.object({ kind: v.literal("rate"), rate: v.number() }),
  v.object({ kind: v.literal("hangup") }),
]);

/** Reads the messages that the framer of AudioSocket makes. */
export class AudioSocketReader implements CallReader {
  #call: string;

  /** @param session name of a call whose UUID does not come before its audio */
  constructor(session: string) {
    this.#call = session;
  }

  read(message: Message): CallMessage | undefined {
    if (typeof message !== "string") return { kind: "audio", bytes: message };
    const result = v.safeParse(textSchema, parseJson(message));
    if (!result.success) throw new ProtocolError("invalid_request", `found ${describeValue(message)}`);
    const { output } = result;
    if (output.kind === "hangup") return { kind: "stop" };
    if (output.kind === "uuid") {
      this.#call = output.uuid;
      return undefined;
    }
    const format = { channels: 1, sample_rate: output.rate, bit_depth: 16, is_float: false, encoding: "pcm" };
    return { kind: "start", details: { call: this.#call }, format, wishes: {} };
  }
}
