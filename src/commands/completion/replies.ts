import type { Candidate, Completion } from "./completion.ts";
import { splitWords } from "./shell-words.ts";

/** The shells that have a script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** What bash inserts after a backslash where there are no quotes. */
const SPECIAL = /[^A-Za-z0-9_./:=@%+,~-]/g;

/**
 * Returns the lines for a script. The first one has words about the others: `open`, no space follows; `files` or
 * `folders`, paths complete the word, too. Lines for this shell alone follow, then the candidates. In zsh, the first line
 * begins with the number of characters that stay, and the hint is the second one. In fish, what stays is the second one.
 */
export const REPLIES: Readonly<Record<Shell, (completion: Completion, request: ShellRequest) => string[]>> = {
  bash: bashReply,
  zsh: ({ before, candidates, hint = "", ...rest }) => [
    `${before.length} ${marksOf({ ...rest, before })}`,
    oneLine(hint),
    ...candidates.map(({ value, description }) => {
      const escaped = value.replaceAll(/[\\:]/g, "\\$&");
      return description === undefined ? escaped : `${escaped}:${oneLine(description)}`;
    }),
  ],
  fish: (completion) => [
    marksOf(completion),
    completion.before,
    ...completion.candidates.map(({ value, description }) => {
      const word = completion.before + value;
      return description === undefined ? word : `${word}\t${oneLine(description)}`;
    }),
  ],
};

/** A request of a script. */
export interface ShellRequest {
  /** The words between the program and the current one. */
  readonly words: readonly string[];
  readonly current: string;
  /** Of bash: the current word as it was typed, and the part that a reply replaces. */
  readonly typed?: string;
  readonly replaced?: string;
}

/** Reads the arguments of a script. Those of bash are the line up to the cursor, and the part that a reply replaces. */
export function readRequest(shell: Shell, args: readonly string[]): ShellRequest | "redirection" {
  if (shell !== "bash") return { words: args.slice(0, -1), current: args.at(-1) ?? "" };
  const [line = "", replaced = ""] = args;
  const { before, current, typed, isRedirection } = splitWords(line);
  return isRedirection ? "redirection" : { words: before.slice(1), current, typed, replaced };
}

/**
 * Readline replaces only what follows the last of its characters that break words, such as = or :. A reply therefore
 * leaves out what the words have before that, and escapes the rest unless it stands in quotes. Readline itself completes
 * paths, if what it replaces is one.
 */
function bashReply(completion: Completion, { current, typed = "", replaced = "" }: ShellRequest): string[] {
  // A character that breaks words is a word of its own in COMP_WORDS, and stays.
  const part = /^[=:]$/.test(replaced) ? "" : replaced;
  const kept = typed.endsWith(part) ? typed.slice(0, typed.length - part.length) : "";
  const stays = splitWords(kept).current;
  const isQuoted = /["']$/.test(kept);
  const { before, paths } = completion;
  const words = completion.candidates
    .map(({ value }) => before + value)
    .filter((word) => word.startsWith(current) && word.startsWith(stays))
    .map((word) => word.slice(stays.length));
  const byReadline = paths === "files" && words.length === 0 && stays === before;
  return [
    byReadline ? "readline" : marksOf(completion),
    // The path so far, the beginning of it that stays, and what stands before it in the part that is replaced.
    ...[current.slice(before.length), stays.slice(before.length), before.slice(stays.length)],
    ...words.map((word) => (isQuoted ? word : word.replaceAll(SPECIAL, "\\$&"))),
  ];
}

function marksOf({ isOpen, paths }: Pick<Completion, "before" | "isOpen" | "paths">): string {
  return [...(isOpen ? ["open"] : []), ...(paths === "none" ? [] : [paths])].join(" ");
}

function oneLine(text: NonNullable<Candidate["description"]>): string {
  return text.replaceAll(/\s+/g, " ");
}
