/** Most latencies of one kind that are kept, per process; later ones are not counted. */
const MAX_LATENCIES = 2_000_000;
/** Most different texts of problems that are kept. */
const MAX_PROBLEMS = 20;

export type Counts = Record<string, number>;

/** What happened to the streams of a run. Plain values, so that processes can exchange it as JSON. */
export class Tally {
  /** Streams that tried to connect, were accepted, and ended with `stopped`. */
  offered = 0;
  admitted = 0;
  stopped = 0;
  /** Refusals by HTTP status or error code. */
  refusals: Counts = {};
  errors: Counts = {};
  warnings: Counts = {};
  /** `stopped` by reason. */
  reasons: Counts = {};
  /** Ledgers that do not add up, and other faults, by text. */
  problems: Counts = {};
  /** Milliseconds until the connection was open, from `start` to `started`, and until a refusal. */
  connects: number[] = [];
  starts: number[] = [];
  refusalTimes: number[] = [];
  /** Milliseconds to the final result from the message with the deciding sample, and from that with the end of speech. */
  finals: number[] = [];
  speechEnds: number[] = [];
  /** Milliseconds to the interim from the message with its last sample. */
  interims: number[] = [];
  /** Seconds of audio in final results, and seconds sent. */
  finalSeconds = 0;
  sentSeconds = 0;
  messages = 0;
  /** Most milliseconds that due audio waited because the server did not read. */
  maxHeldMs = 0;
  /** Messages that the generator itself sent more than one message time late, and the worst in milliseconds. */
  late = 0;
  maxLateMs = 0;
  /** Frames sent that the ledgers do not have, and samples that they count as failed. */
  missing = 0;
  failed = 0;

  /** Adds another process's counts. */
  add(other: Tally): void {
    for (const key of Object.keys(this) as (keyof Tally)[]) {
      const [mine, theirs] = [this[key], other[key]] as [unknown, unknown];
      if (Array.isArray(mine)) for (const value of theirs as number[]) mine.push(value);
      else if (typeof mine === "number") this.#setNumber(key, mine, theirs as number);
      else for (const [name, times] of Object.entries(theirs as Counts)) count(mine as Counts, name, times);
    }
  }

  #setNumber(key: keyof Tally, mine: number, theirs: number): void {
    const value = key === "maxHeldMs" || key === "maxLateMs" ? Math.max(mine, theirs) : mine + theirs;
    (this as unknown as Record<string, number>)[key] = value;
  }
}

/** Counts one more of a name. The names come from the server, so their number is bounded. */
export function count(counts: Counts, name: string, times = 1): void {
  if (counts[name] === undefined && Object.keys(counts).length >= MAX_PROBLEMS) name = "others";
  counts[name] = (counts[name] ?? 0) + times;
}

export function keep(latencies: number[], milliseconds: number): void {
  if (latencies.length < MAX_LATENCIES) latencies.push(milliseconds);
}
