import type { Caller } from "../protocol/caller.ts";

/** The place of one session among those that may be open. It is held from before the session opens until it is gone. */
export interface Place {
  /** Gives the place back. To be called once. */
  release(): void;
}

/** Why there is no place: for anybody, or for this caller. */
export type NoPlace = "all" | "caller";

/** Counts the sessions that are open, by caller too. Other processes may share the count. */
export interface SessionPlaces {
  /** Returns false when no caller can get a place now. */
  hasRoom(): boolean;
  claim(caller: Caller): Place | NoPlace;
}

/** The places of a server with one process, whose total is counted by `Sessions`. */
export class LocalPlaces implements SessionPlaces {
  /** Open sessions by caller. */
  readonly #byCaller = new Map<string, number>();

  hasRoom(): boolean {
    return true;
  }

  claim({ id, limits: { maxSessions } }: Caller): Place | NoPlace {
    const own = this.#byCaller.get(id) ?? 0;
    if (maxSessions !== 0 && own >= maxSessions) return "caller";
    this.#byCaller.set(id, own + 1);
    return { release: () => this.#release(id) };
  }

  #release(id: string): void {
    const left = (this.#byCaller.get(id) ?? 1) - 1;
    if (left > 0) this.#byCaller.set(id, left);
    else this.#byCaller.delete(id);
  }
}
