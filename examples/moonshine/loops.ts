/** Longest sequence that is looked for, in tokens. */
const LONGEST = 16;
/**
 * A loop is a sequence three times or more, over 16 tokens or more. Less is speech: people say "no, no, no", and the
 * same digit four times.
 */
const TIMES = 3;
const TOKENS = 16;

/** Returns how many tokens at the end are a repetition of those before them; 0 if they are no loop. */
export function repeatedTokens(tokens: readonly number[]): number {
  for (let length = 1; length <= LONGEST; length++) {
    const repeated = Math.max(TIMES, Math.ceil(TOKENS / length)) * length - length;
    const start = tokens.length - repeated;
    if (start < length) continue;
    let at = start;
    while (at < tokens.length && tokens[at] === tokens[at - length]) at++;
    if (at === tokens.length) return repeated;
  }
  return 0;
}
