/** One way to complete the current word. */
export interface Candidate {
  /** What stands behind `Completion.before`. */
  readonly value: string;
  readonly description?: string;
}

/** The ways to complete the current word of a command line. */
export interface Completion {
  /** The first characters of the current word, which stay: `--set=` of `--set=limits.`. */
  readonly before: string;
  readonly candidates: readonly Candidate[];
  /** True: a candidate is not the end of the word, so no space follows it. */
  readonly isOpen: boolean;
  /** Paths that complete the word, too. */
  readonly paths: "files" | "folders" | "none";
  /** What is to be typed, where there are no candidates. */
  readonly hint?: string;
}

export const NOTHING: Completion = { before: "", candidates: [], isOpen: false, paths: "none" };

/** Returns a completion whose candidates stand behind further characters of the word. */
export function behind(before: string, completion: Completion): Completion {
  return { ...completion, before: before + completion.before };
}
