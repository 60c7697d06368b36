/** A line that a reader may type, as a document has it. */
export interface CommandLine {
  readonly text: string;
  /** Of its beginning in the document, from 1. */
  readonly line: number;
}

/** The command lines of a document's fences marked `sh`: comments and blank lines left out, continued lines joined. */
export function commandLines(markdown: string): CommandLine[] {
  const commands: CommandLine[] = [];
  let inside = false;
  let begun: CommandLine | undefined;
  for (const [index, raw] of markdown.split("\n").entries()) {
    const text = raw.trim();
    if (text.startsWith("```")) inside = !inside && text === "```sh";
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

/** Marks of fences that hold command lines too, and would not be tried: `sh` is to be used. */
export function untriedFences(markdown: string): string[] {
  return markdown.split("\n").filter((line) => /^\s*```(?:bash|shell|console|zsh|shell-session)\b/.test(line));
}
