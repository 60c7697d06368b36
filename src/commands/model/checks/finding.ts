/** `note`: an observation that may be intended. `FAIL`: clients would get an error or a wrong result. */
export type Verdict = "ok" | "note" | "FAIL";

/** One line of the report. */
export interface Finding {
  readonly verdict: Verdict;
  /** Name of the check, one or two words. */
  readonly check: string;
  readonly text: string;
}

export type ReportFinding = (verdict: Verdict, check: string, text: string) => void;
