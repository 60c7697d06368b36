import * as v from "valibot";

import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { parseJson } from "../../protocol/message-fields.ts";
import { type Control, CONTROLS, controlSchema } from "./messages.ts";

/** Reads a client's text. Throws ProtocolError `invalid_json`, `unknown_request` or `invalid_request`. */
export function readControl(message: string): Control {
  const result = v.safeParse(controlSchema, parseJson(message));
  if (result.success) return result.output;
  const [issue] = result.issues;
  const param = v.getDotPath(issue) ?? "type";
  const [code, allowed] =
    param === "type"
      ? (["unknown_request", CONTROLS.join(", ")] as const)
      : (["invalid_request", issue.message] as const);
  throw new ProtocolError(code, `${param}: found ${describeValue(issue.input)}; allowed: ${allowed}`, { param });
}
