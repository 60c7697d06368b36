import type { Grant } from "./grant.ts";
import { parseTokenLine, TokenLineError } from "./token-line.ts";

/** Most tokens of one file. */
const MAX_TOKENS = 10_000;
/** Most problems that are listed. */
const MAX_PROBLEMS = 20;

/** The content of a token file is not valid. `problems` has a sentence for each fault: file, line, field. */
export class TokenListError extends Error {
  override readonly name = "TokenListError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Parses the lines of a token file. Throws TokenListError with all problems. @param file its name, for messages */
export function parseTokenList(text: string, file: string): Grant[] {
  const grants: Grant[] = [];
  const problems: string[] = [];
  /** The line of each hash. */
  const lines = new Map<string, number>();
  // A byte order mark, with which some editors begin a file, is no part of the first name.
  for (const [index, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    try {
      const grant = parseTokenLine(line);
      if (grant === undefined) continue;
      const other = lines.get(grant.hash);
      if (other !== undefined) throw new TokenLineError(`hash: is that of line ${other}; allowed: a token of its own`);
      lines.set(grant.hash, index + 1);
      grants.push(grant);
    } catch (error) {
      if (!(error instanceof TokenLineError)) throw error;
      problems.push(`${file}:${index + 1}: ${error.message}`);
    }
  }
  if (grants.length > MAX_TOKENS)
    problems.push(`${file}: found ${grants.length} tokens; allowed: at most ${MAX_TOKENS}`);
  if (problems.length > MAX_PROBLEMS) {
    const more = problems.length - MAX_PROBLEMS;
    problems.splice(MAX_PROBLEMS, more, `${file}: ${more} more ${more === 1 ? "problem" : "problems"}`);
  }
  if (problems.length > 0) throw new TokenListError(problems);
  return grants;
}
