import { steps } from "./guide/steps.ts";

/** A command line in a document. */
export interface CommandLine {
  readonly text: string;
  /** Line of the document where it begins, from 1. */
  readonly line: number;
}

/** Command lines in the `sh` fences of a document, without comments and blank lines, continued lines joined. */
export function commandLines(markdown: string): CommandLine[] {
  return steps(markdown).flatMap((step) => (step.kind === "command" ? [{ text: step.text, line: step.line }] : []));
}

/** Opening marks of other shell fences, whose command lines would not be run. Documents use `sh`. */
export function untriedFences(markdown: string): string[] {
  return markdown.split("\n").filter((line) => /^\s*```(?:bash|shell|console|zsh|shell-session)\b/.test(line));
}
