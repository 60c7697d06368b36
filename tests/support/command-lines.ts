/** A command line in a document. */
export interface CommandLine {
  readonly text: string;
  /** Line of the document where it begins, from 1. */
  readonly line: number;
}

/** Command lines in the `sh` fences of a document, without comments and blank lines, continued lines joined. */
export function commandLines(markdown: string): CommandLine[] {
  const commands: CommandLine[] = [];
  let inside = false;
  /** The mark of the longer fence that is open, which shows a document with fences of its own. */
  let shown: string | undefined;
  let begun: CommandLine | undefined;
  for (const [index, raw] of markdown.split("\n").entries()) {
    const text = raw.trim();
    const longer = /^`{4,}/.exec(text)?.[0];
    if (longer !== undefined && (shown === undefined || longer === shown)) {
      shown = shown === undefined ? longer : undefined;
    } else if (shown !== undefined) continue;
    else if (text.startsWith("```")) inside = !inside && text === "```sh";
    else if (inside && text !== "" && !text.startsWith("#")) {
      const part = text.replace(/\s*\\$/, "");
      begun = begun === undefined ? { text: part, line: index + 1 } : { ...begun, text: `${begun.text} ${part}` };
      if (text.endsWith("\\")) continue;
      commands.push(begun);
      begun = undefined;
    }
  }
  return commands;
}

/** Opening marks of other shell fences, whose command lines would not be run. Documents use `sh`. */
export function untriedFences(markdown: string): string[] {
  return markdown.split("\n").filter((line) => /^\s*```(?:bash|shell|console|zsh|shell-session)\b/.test(line));
}
