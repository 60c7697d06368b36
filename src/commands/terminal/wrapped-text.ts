/** Fewest characters of text in a line, however narrow the terminal and wide the indentation is. */
const MIN_TEXT_WIDTH = 20;
/** Indentation of hanging lines on a terminal that is too narrow for columns. */
const NARROW_INDENT = 2;
/** Stands between a line and its tail. */
export const GAP = "   ";
/** Stands where a line was cut. */
const ELLIPSIS = "...";

/**
 * Breaks text at spaces into lines of at most `width` columns. Each line begins with `indent` spaces. A word that is
 * longer than a line is not broken.
 */
export function wrapText(text: string, width: number, indent = 0): string {
  return breakLines(text, Math.max(MIN_TEXT_WIDTH, width - indent), indent);
}

function breakLines(text: string, room: number, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && Bun.stringWidth(longer) > room) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  lines.push(line);
  return lines.map((each) => " ".repeat(indent) + each).join("\n");
}

/**
 * Breaks a line at spaces and indents every line but the first. `tail` follows behind a gap, and is not broken: where it
 * does not fit, it has a line of its own. On a terminal that is too narrow for that, the columns before the indentation
 * are set without the space between them, and the other lines are indented by two.
 */
export function hangText(line: string, width: number, indent: number, tail = ""): string {
  const [head, text] = [line.slice(0, indent), line.slice(indent)];
  if (width - indent >= MIN_TEXT_WIDTH) {
    const broken = head + breakLines(text, width - indent, indent).slice(indent);
    if (tail === "") return broken;
    const fits = Bun.stringWidth(`${broken.slice(broken.lastIndexOf("\n") + 1)}${GAP}${tail}`) <= width;
    return `${broken}${fits ? GAP : `\n${" ".repeat(indent)}`}${tail}`;
  }
  const close = `${head.trimStart().replaceAll(/ {2,}/g, " ")}${text}${tail === "" ? "" : ` ${tail}`}`;
  return breakLines(close, Math.max(1, width - NARROW_INDENT), NARROW_INDENT).slice(NARROW_INDENT);
}

/** Cuts text to at most `width` columns: wide characters, as those of Chinese, take two. */
export function cutText(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  let cut = "";
  let columns = 0;
  for (const character of text) {
    columns += Bun.stringWidth(character);
    if (columns > width) break;
    cut += character;
  }
  return cut;
}

/**
 * Cuts a line to at most `width` columns between its first `keep` columns and its end. Where that leaves little room for
 * the end, the line is cut as other text.
 */
export function cutStart(line: string, width: number, keep: number): string {
  if (Bun.stringWidth(line) <= width) return line;
  const room = width - keep - ELLIPSIS.length - 1;
  if (room < MIN_TEXT_WIDTH / 2) return cutText(line, width);
  const characters = [...line.slice(keep)];
  let columns = 0;
  let first = characters.length;
  while (first > 0) {
    columns += Bun.stringWidth(characters[first - 1] ?? "");
    if (columns > room) break;
    first -= 1;
  }
  const end = characters.slice(first);
  // No half of a word, unless it fills much of the line, as in languages that are written without spaces.
  const space = characters[first - 1] === " " ? -1 : end.indexOf(" ");
  const shown = space < end.length / 2 ? end.slice(space + 1) : end;
  return `${line.slice(0, keep)}${ELLIPSIS} ${shown.join("").trimStart()}`;
}
