import type { DetectorKind } from "./detector.ts";
import { energy } from "./energy.ts";
import { fixedThreshold } from "./fixed-threshold.ts";

/** The detectors by name, as `vad.detector` of the configuration selects them. */
export const DETECTORS: Readonly<Record<string, DetectorKind>> = { energy, fixed: fixedThreshold };

export const DETECTOR_NAMES: readonly string[] = Object.keys(DETECTORS);

/** The detector of a server that is not configured otherwise. */
export const DEFAULT_DETECTOR = "energy";
