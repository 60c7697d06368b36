import { Grammar } from "./grammar.ts";
import { judge, type Server, type Verdict } from "./verdict.ts";

export type Path = Server["path"];
export const PATHS: readonly Path[] = ["simple", "stateful", "segmented"];
/** Rates of the audio, Hz: as many as a session may ask for at once. */
const RATES = [16_000, 8_000, 44_100, 48_000];

/** The model `strict` of tests/support/models/strict.ts, and the options that it takes. */
export const STRICT = { strict: ["language"] } as const;

/** Texts of clients, each with its verdict on each path: made once for many sessions, since both take a while. */
export class Corpus {
  readonly starts: readonly string[];
  readonly bad: readonly string[];
  readonly #verdicts: Readonly<Record<Path, Map<string, Verdict>>>;

  /** @param next returns 0 to 1 @param size number of texts */
  constructor(next: () => number, size: number) {
    const grammar = new Grammar(next, RATES);
    const maps = PATHS.map((path) => [path, new Map<string, Verdict>()] as const);
    this.#verdicts = Object.fromEntries(maps) as Record<Path, Map<string, Verdict>>;
    this.starts = Array.from({ length: Math.ceil(size / 20) }, () => grammar.start());
    this.bad = Array.from({ length: size }, () => grammar.bad()).filter((text) => this.#allows(text));
  }

  /** Returns what must become of a text. */
  judge(path: Path, text: string): Verdict {
    const known = this.#verdicts[path].get(text);
    if (known !== undefined) return known;
    const verdict = judge(text, { path, maxChannels: 16, models: ["simulated", "strict"], options: STRICT });
    this.#verdicts[path].set(text, verdict);
    return verdict;
  }

  /** Forgets the verdicts. */
  forget(): void {
    for (const path of PATHS) this.#verdicts[path].clear();
  }

  /** Mutations may have made another rate, of which a session may not ask for many. */
  #allows(text: string): boolean {
    const verdict = this.judge("segmented", text);
    return verdict.kind !== "start" || RATES.includes(verdict.start.rate);
  }
}
