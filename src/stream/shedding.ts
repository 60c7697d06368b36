/** A stream that may be ended to free memory. */
export interface Candidate {
  /** Slabs that it holds. */
  readonly slabs: number;
}

/**
 * Chooses the streams to end so that at least `slabs` slabs become free: the newest and largest first, by the product
 * of what a stream holds and the square of its number in the order of arrival. Among equals the newest goes, and a
 * large one goes before smaller ones that came a little later.
 * @param arrived candidates, the oldest first
 * @param kept a candidate that is only chosen when no other holds anything
 */
export function chooseVictims<Each extends Candidate>(arrived: Iterable<Each>, slabs: number, kept?: Each): Each[] {
  const ranked = [...arrived]
    .map((candidate, index) => ({ candidate, score: candidate.slabs * (index + 1) ** 2 }))
    .filter(({ candidate, score }) => score > 0 && candidate !== kept)
    .sort((a, b) => b.score - a.score);
  if (ranked.length === 0) return kept === undefined ? [] : [kept];
  const victims: Each[] = [];
  let freed = 0;
  for (const { candidate } of ranked) {
    if (freed >= slabs && victims.length > 0) break;
    victims.push(candidate);
    freed += candidate.slabs;
  }
  return victims;
}
