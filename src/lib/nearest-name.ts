/** Only the beginning of a longer name is compared, which bounds the cost of a look-up. */
const COMPARED_LENGTH = 64;

/**
 * Finds the known name that is most likely meant by a misspelt one. At most a third of its letters may differ, but at
 * least one may and at most three. Case, and `-` for `_`, do not count as differences.
 * @returns undefined when no known name is near
 */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const wanted = normalized(name);
  const allowed = Math.min(3, Math.max(1, Math.floor(wanted.length / 3)));
  let best: string | undefined;
  let bestDistance = allowed + 1;
  for (const candidate of known) {
    // The distance is at least the difference of the lengths: a long name is near to none, and costs nothing.
    if (Math.abs(candidate.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, normalized(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function normalized(name: string): string {
  return name.slice(0, COMPARED_LENGTH).toLowerCase().replaceAll("-", "_");
}

/**
 * Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours cost 1 each (Boytsov,
 * "Indexing Methods for Approximate Dictionary Searching", 2011).
 */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + changed);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
