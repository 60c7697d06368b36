/** Switches the wrapping of long lines off and on (DECAWM). */
const WRAP_OFF = "\u001B[?7l";
const WRAP_ON = "\u001B[?7h";
/** Erases from the cursor to the end of the screen (ED). */
const ERASE_BELOW = "\u001B[J";

/** How live lines are drawn below the other lines of a terminal, and erased. */
export interface LiveLines {
  /** Returns the text that draws `lines`, none of which is wider than the terminal. */
  draw(lines: readonly string[]): string;
  /** Returns the text that erases `lines`, drawn last, on a terminal that has `columns` columns now. */
  erase(lines: readonly string[], columns: number): string;
}

/**
 * Leaves the cursor at the start of the first live line. When the width changes, the cursor stays on that character in
 * terminals that wrap their lines anew and in terminals that do not, so that erasing from there is right.
 */
export const CURSOR_AT_START: LiveLines = {
  draw: (lines) => `${WRAP_OFF}${lines.join("\n")}${WRAP_ON}\r${cursorUp(lines.length - 1)}`,
  erase: () => `\r${ERASE_BELOW}`,
};

/**
 * Leaves the cursor below the live lines, for xterm.js 6. When it wraps lines anew, it takes the cursor to be in the
 * last line, and moves it by the number of all rows that are added.
 */
export const CURSOR_AT_END: LiveLines = {
  draw: (lines) => `${WRAP_OFF}${lines.join("\n")}${WRAP_ON}\n`,
  erase(lines, columns) {
    const rows = lines.map((line) => Math.max(1, Math.ceil(Bun.stringWidth(line) / columns)));
    return `\r${cursorUp(rows.reduce((sum, each) => sum + each, 0))}${ERASE_BELOW}`;
  },
};

/** Moves the cursor up (CUU). */
function cursorUp(rows: number): string {
  return rows === 0 ? "" : `\u001B[${rows}A`;
}
