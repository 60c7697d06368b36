/** What a reader of a chapter meets, in order. `line` is where it begins, from 1; `first` opens a fence of commands. */
export type Step =
  | { readonly kind: "command"; readonly text: string; readonly line: number; readonly first: boolean }
  | { readonly kind: "file"; readonly path: string; readonly text: string; readonly line: number }
  | { readonly kind: "output"; readonly lines: readonly string[]; readonly numbersVary: boolean; readonly line: number }
  | { readonly kind: "code"; readonly path: string; readonly lines: readonly string[]; readonly line: number };

interface Fence {
  readonly info: string;
  readonly lines: readonly string[];
  /** Line of its first line of content, from 1. */
  readonly line: number;
}

/** Fences of a document; one within a longer fence is content of that. */
export function fences(markdown: string): Fence[] {
  const found: Fence[] = [];
  let open: { mark: string; info: string; lines: string[]; line: number } | undefined;
  for (const [index, raw] of markdown.split("\n").entries()) {
    const [, mark = "", info = ""] = /^\s*(`{3,})(.*)$/.exec(raw) ?? [];
    if (open === undefined) {
      if (mark !== "") open = { mark, info: info.trim(), lines: [], line: index + 2 };
    } else if (mark.length >= open.mark.length && info.trim() === "") {
      found.push(open);
      open = undefined;
    } else open.lines.push(raw);
  }
  return found;
}

/**
 * The steps of a chapter: commands of `sh` fences, files to save (`ts file=name.ts`), outputs (`text output`, with
 * `numbers-vary` where no number is compared), and code of the repository (`ts src/a/b.ts`).
 */
export function steps(markdown: string): Step[] {
  return fences(markdown).flatMap((fence): Step[] => {
    const { info, lines, line } = fence;
    if (info === "sh") return commands(fence);
    const [, file] = /\sfile=(\S+)$/.exec(info) ?? [];
    if (file !== undefined) return [{ kind: "file", path: file, text: `${lines.join("\n")}\n`, line }];
    if (info.startsWith("text output")) {
      return [{ kind: "output", lines, numbersVary: info === "text output numbers-vary", line }];
    }
    const [, path] = /^\w+ (\S+\/\S+|\S+\.\w+)$/.exec(info) ?? [];
    return path === undefined ? [] : [{ kind: "code", path, lines, line }];
  });
}

/** Command lines of a fence, continued lines joined, without comments. */
function commands({ lines, line }: Fence): Step[] {
  const found: Step[] = [];
  let begun: { text: string; line: number } | undefined;
  for (const [index, raw] of lines.entries()) {
    const text = raw.trim();
    if (begun === undefined && (text === "" || text.startsWith("#"))) continue;
    const part = text.replace(/\s*\\$/, "");
    begun = begun === undefined ? { text: part, line: line + index } : { ...begun, text: `${begun.text} ${part}` };
    if (text.endsWith("\\")) continue;
    found.push({ kind: "command", ...begun, first: found.length === 0 });
    begun = undefined;
  }
  return found;
}
