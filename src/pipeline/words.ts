/** A word of a recogniser's result: the convention for items of `words` in an output. Other fields are kept. */
interface Word {
  readonly word: string;
  /** Seconds. */
  readonly start: number;
  readonly end: number;
}

/** Times on the stream's clock are rounded to microseconds: 0.1 and 0.2 are 0.3. */
const ROUNDING = 1e6;

/**
 * Moves words from the clock of a piece of audio to that of its stream.
 * @param words as the model has returned them: times in seconds from the start of the piece
 * @param offset start of the piece, seconds from the start of the stream
 * @returns undefined: they are not an array of words
 */
export function moveWords(words: unknown, offset: number): Word[] | undefined {
  if (!Array.isArray(words)) return undefined;
  const moved: Word[] = [];
  for (const word of words) {
    if (!isWord(word)) return undefined;
    moved.push({ ...word, start: move(word.start, offset), end: move(word.end, offset) });
  }
  return moved;
}

function move(seconds: number, offset: number): number {
  return Math.round((seconds + offset) * ROUNDING) / ROUNDING;
}

function isWord(value: unknown): value is Word {
  if (typeof value !== "object" || value === null) return false;
  const { word, start, end } = value as Partial<Record<keyof Word, unknown>>;
  return typeof word === "string" && isTime(start) && isTime(end) && start <= end;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
