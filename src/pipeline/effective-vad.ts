import { ProtocolError } from "../protocol/errors.ts";
import type { VadSettings } from "../protocol/vad-settings.ts";
import type { DetectorKind } from "../vad/detector.ts";
import type { PatternStart } from "./pattern.ts";

/** The server's settings with the client's on top. Throws ProtocolError when they contradict each other. */
export function effectiveVad(start: PatternStart, defaults: VadSettings, detector: DetectorKind): VadSettings {
  const vad = { ...defaults, ...start.vad };
  // A default gives way to what the client has set; two settings of the client's own must agree.
  if (start.vad?.post_roll_ms === undefined) vad.post_roll_ms = Math.min(vad.post_roll_ms, vad.min_silence_ms);
  if (vad.post_roll_ms > vad.min_silence_ms) {
    throw invalid("vad.post_roll_ms", vad.post_roll_ms, `0 to vad.min_silence_ms, which is ${vad.min_silence_ms}`);
  }
  if (start.vad?.floor_dbfs !== undefined && !detector.usesFloor) {
    const allowed = `no value, since the noise floor of this server's detector is ${detector.noiseFloor}`;
    throw invalid("vad.floor_dbfs", vad.floor_dbfs, allowed);
  }
  return vad;
}

/** The settings as `started` has them: those that have an effect. */
export function startedVad(vad: VadSettings, detector: DetectorKind) {
  return detector.usesFloor ? vad : { ...vad, floor_dbfs: undefined };
}

function invalid(param: string, found: number, allowed: string): ProtocolError {
  return new ProtocolError("invalid_request", `${param}: found ${found}; allowed: ${allowed}`, { param });
}
