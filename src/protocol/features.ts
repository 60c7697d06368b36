/**
 * Additions to version 1 that a client can use, in `started` and in `GET /api/v1/info`. An older server refuses the
 * fields that it does not know, so a client looks here first. Names stay; the list only grows.
 */
export const FEATURES = {
  flush_after: "`flush_after_ms` in `start`",
  vad_floor: "`vad.floor_dbfs` in `start`, and the warning `too_quiet`",
  resume: "`checkpoint` events, and `resume` in `start`, if the server is configured for it",
} as const;

/** The features of a server. @param resumes streams can be resumed */
export function featureNames(resumes: boolean): string[] {
  return Object.keys(FEATURES).filter((name) => resumes || name !== "resume");
}
