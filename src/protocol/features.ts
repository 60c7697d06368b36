/**
 * Additions to version 1 that a client can use, in `started` and in `GET /api/v1/info`. An older server refuses the
 * fields that it does not know, so a client looks here first. Names stay; the list only grows.
 */
export const FEATURES = {
  flush_after: "`flush_after_ms` in `start`",
  vad_floor: "`vad.floor_dbfs` in `start`, and the warning `too_quiet`",
} as const;

export const FEATURE_NAMES: readonly string[] = Object.keys(FEATURES);
