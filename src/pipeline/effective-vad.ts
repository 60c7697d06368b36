import { ProtocolError } from "../protocol/errors.ts";
import type { VadSettings } from "../protocol/vad-settings.ts";
import type { PatternStart } from "./pattern.ts";

/** The server's settings with the client's on top. Throws ProtocolError when they contradict each other. */
export function effectiveVad(start: PatternStart, defaults: VadSettings): VadSettings {
  const vad = { ...defaults, ...start.vad };
  // A default gives way to what the client has set; two settings of the client's own must agree.
  if (start.vad?.post_roll_ms === undefined) vad.post_roll_ms = Math.min(vad.post_roll_ms, vad.min_silence_ms);
  if (vad.post_roll_ms > vad.min_silence_ms) {
    const allowed = `0 to vad.min_silence_ms, which is ${vad.min_silence_ms}`;
    const message = `vad.post_roll_ms: found ${vad.post_roll_ms}; allowed: ${allowed}`;
    throw new ProtocolError("invalid_request", message, { param: "vad.post_roll_ms" });
  }
  return vad;
}
