const NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const SPELLED: Readonly<Record<string, string>> = {
  mr: "mister",
  ...Object.fromEntries(NUMBERS.map((word, number) => [String(number), word])),
};

/** The words of a text without what is not heard: capitals, punctuation, and how numbers up to ten are written. */
export function spokenWords(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
  return words.map((word) => (Object.hasOwn(SPELLED, word) ? SPELLED[word]! : word));
}

/** The least number of words that are wrong, missing or too many: the Levenshtein distance of words. */
export function wordErrors(reference: readonly string[], heard: readonly string[]): number {
  let row = [...heard.keys(), heard.length];
  for (const [spoken, expected] of reference.entries()) {
    const next = [spoken + 1];
    for (const [index, word] of heard.entries()) {
      next.push(Math.min(row[index]! + Number(word !== expected), row[index + 1]! + 1, next[index]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}
