/** Fewest characters of text in a line, however narrow the terminal and wide the indentation is. */
const MIN_TEXT_WIDTH = 20;

/**
 * Breaks text at spaces into lines of at most `width` columns. Each line begins with `indent` spaces. A word that is
 * longer than a line is not broken.
 */
export function wrapText(text: string, width: number, indent = 0): string {
  const room = Math.max(MIN_TEXT_WIDTH, width - indent);
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

/** Breaks a line at spaces, as `wrapText` does, and indents every line but the first. */
export function hangText(line: string, width: number, indent: number): string {
  return line.slice(0, indent) + wrapText(line.slice(indent), width, indent).slice(indent);
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
