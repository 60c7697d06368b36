/** Longest line of the source, as editors and `mandoc -T lint` like it. */
const MAX_COLUMNS = 80;

/** Characters with a meaning in roff, or that it prints as others, and how each is written. */
const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\e",
  "-": "\\-",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
};

/** Escapes text that is to be typed as it stands: a minus is not a hyphen, a quotation mark not a closing quote. */
export function literal(text: string): string {
  return unicode(text.replaceAll(/[\\\-'`^~]/g, (character) => ESCAPES[character] ?? character));
}

/** Escapes prose. Flags, paths and names in it are to be typed. */
export function prose(text: string): string {
  const words = text.split(" ").map((word) => (/[-_/.=:~^`]\S|^-$/.test(word) ? literal(word) : plain(word)));
  return words.join(" ");
}

function plain(text: string): string {
  return unicode(text.replaceAll("\\", "\\e"));
}

/** Writes characters outside of ASCII by their number. */
function unicode(text: string): string {
  const code = (character: string) => (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return text.replaceAll(/[^\n -~]/gu, (character) => `\\[u${code(character)}]`);
}

/** Literal text in bold. */
export function bold(text: string): string {
  return `\\fB${literal(text)}\\fR`;
}

/** A placeholder, which stands for another text. Between alternatives, a line may end. */
export function italic(text: string): string {
  return `\\fI${literal(text).replaceAll("|", "|\\:")}\\fR`;
}

/** Breaks escaped text into lines of source, none of which is taken for a request. */
export function lines(text: string): string[] {
  const result: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > MAX_COLUMNS - 2) {
      result.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...result, line].map(guard);
}

/** A line that begins with a dot or an apostrophe is a request. */
function guard(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** Returns a request with arguments in quotes. */
export function request(name: string, ...args: readonly string[]): string {
  return [`.${name}`, ...args.map((arg) => `"${arg.replaceAll('"', '""')}"`)].join(" ");
}

/** A paragraph of prose. */
export function paragraph(text: string): string[] {
  return [".PP", ...lines(prose(text))];
}

/** A term, escaped, and what it means. */
export function definition(term: string, texts: readonly string[]): string[] {
  return [".TP", guard(term), ...lines(texts.filter(Boolean).map(prose).join(" "))];
}

/** Lines that are typed, without filling. */
export function example(text: string): string[] {
  return [".PP", ".RS 4", ".EX", ...text.split("\n").map((line) => guard(literal(line))), ".EE", ".RE"];
}
