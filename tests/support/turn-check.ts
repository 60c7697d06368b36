/** A place in the rotations: the caller, the stream and the lane of a job. */
export type Place = readonly [caller: string, stream: string, lane: string];

/** Checks turns: while one place waits, each of its siblings is served at most once. */
export class TurnCheck {
  /** For each waiting place, the siblings that were served since it began to wait. */
  readonly #served = new Map<string, Set<string>>();

  /** Records that a job is served while jobs at these places wait, its own among them. Throws when a turn is broken. */
  serve(kind: string, served: Place, waiting: readonly Place[]): void {
    for (let level = 0; level < served.length; level++) {
      const [parent, own] = [pathOf(kind, served, level), pathOf(kind, served, level + 1)];
      const siblings = new Set(
        waiting.filter((place) => pathOf(kind, place, level) === parent).map((place) => pathOf(kind, place, level + 1)),
      );
      siblings.delete(own);
      for (const sibling of siblings) {
        const others = this.#served.get(sibling) ?? new Set();
        if (others.has(own)) throw new Error(`broken: ${own} is not served twice while ${sibling} waits`);
        this.#served.set(sibling, others.add(own));
      }
      this.#served.delete(own);
    }
  }

  /** Forgets places at which no job waits any more. */
  keep(waiting: readonly (readonly [kind: string, place: Place])[]): void {
    if (this.#served.size === 0) return;
    const kept = new Set(waiting.flatMap(([kind, place]) => [1, 2, 3].map((length) => pathOf(kind, place, length))));
    for (const path of this.#served.keys()) if (!kept.has(path)) this.#served.delete(path);
  }
}

function pathOf(kind: string, place: Place, length: number): string {
  return [kind, ...place.slice(0, length)].join(" / ");
}
