/** The words of a command line up to the cursor, without quotes. */
export interface ShellWords {
  /** The words before the current one; the first is the program. Redirections are left out. */
  readonly before: readonly string[];
  readonly current: string;
  /** The current word as it was typed. */
  readonly typed: string;
  /** True: the current word is the file of a redirection. */
  readonly isRedirection: boolean;
}

/** A word in parts, each with what it stands for. */
interface Word {
  text: string;
  typed: string;
}

const ESCAPED_IN_QUOTES = /^["\\$`]$/;

/**
 * Splits a command line of a POSIX shell. Nothing is expanded: variables and patterns stay as they are. A quote that is
 * not closed ends with the line.
 */
export function splitWords(line: string): ShellWords {
  const words: string[] = [];
  let word: Word | undefined;
  let redirects = false;
  const end = (): void => {
    if (word !== undefined && !redirects) words.push(word.text);
    if (word !== undefined) redirects = false;
    word = undefined;
  };
  const characters = [...line];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] ?? "";
    if (/\s/.test(character)) {
      end();
    } else if (/[<>]/.test(character)) {
      // A number or & before it is a part of the operator.
      if (word !== undefined && /^(?:\d+|&)$/.test(word.typed)) word = undefined;
      end();
      redirects = true;
      while (/[<>&|]/.test(characters[i + 1] ?? "")) i++;
    } else {
      const [text, length] = readPart(characters, i);
      word ??= { text: "", typed: "" };
      word.text += text;
      word.typed += characters.slice(i, i + length).join("");
      i += length - 1;
    }
  }
  const { text, typed } = word ?? { text: "", typed: "" };
  return { before: words, current: text, typed, isRedirection: redirects };
}

/** Returns the text of an escaped character, of a quotation or of a plain character, and how many characters it takes. */
function readPart(characters: readonly string[], start: number): [text: string, length: number] {
  const first = characters[start] ?? "";
  if (first === "\\") return [characters[start + 1] ?? "", 2];
  if (first !== "'" && first !== '"') return [first, 1];
  let text = "";
  let i = start + 1;
  for (; i < characters.length && characters[i] !== first; i++) {
    const next = characters[i + 1] ?? "";
    if (first === '"' && characters[i] === "\\" && ESCAPED_IN_QUOTES.test(next)) i++;
    text += characters[i] ?? "";
  }
  return [text, i + 1 - start];
}
