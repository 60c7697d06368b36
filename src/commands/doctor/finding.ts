/** `note`: worth knowing. `warning`: the server would start, and something may go wrong. `failure`: something is broken. */
export const VERDICTS = ["ok", "note", "warning", "failure"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** One line of the report. */
export interface Finding {
  readonly verdict: Verdict;
  /** What was examined: one or two words, or the key of a setting. */
  readonly subject: string;
  /** What was found, without secrets. */
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export type ReportFinding = (verdict: Verdict, subject: string, found: string, remedy?: string) => void;
