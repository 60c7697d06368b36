/** A promise of docs/reliability.md, as the table of `npm run torture` shows it. */
export interface Promised {
  readonly text: string;
  /** What the figure of a passed run is to be. */
  readonly goal: string;
  /** Minutes of the long form on two idle cores, about. */
  readonly minutes: number;
  /** Its tests judge memory, time, or what a machine carries: nothing else runs beside them. */
  readonly alone: boolean;
}

const TOGETHER = { alone: false } as const;
const ALONE = { alone: true } as const;

/** Everything that `npm run torture` proves. A promise that no test of a run proves counts as broken. */
export const PROMISES = {
  ledger: {
    text: "the ledger adds up to the sample, by the client's own count",
    goal: "0 samples missing",
    minutes: 2.5,
    ...TOGETHER,
  },
  deaths: {
    text: "workers that die in every way, at random under load, lose nothing",
    goal: "0 missing, +20 MB at most",
    minutes: 5,
    ...ALONE,
  },
  python_deaths: {
    text: "workers of models in Python that die in every way, at random under load, lose nothing",
    goal: "0 missing",
    minutes: 4,
    ...TOGETHER,
  },
  crash_loop: {
    text: "a crash loop backs off, is said by `ready`, and ends when the model works",
    goal: "recovered",
    minutes: 1.2,
    ...TOGETHER,
  },
  poison: {
    text: "audio that kills its worker is tried once more at most",
    goal: "2 deaths an utterance at most",
    minutes: 0.2,
    ...TOGETHER,
  },
  boundaries: {
    text: "a throw or rejection at any boundary costs its session only",
    goal: "others exact",
    minutes: 5,
    ...TOGETHER,
  },
  shutdowns: {
    text: "SIGTERM at a random moment under load loses no result",
    goal: "0 results lost",
    minutes: 6,
    ...TOGETHER,
  },
  processes: {
    text: "processes that are killed, drained and replaced cost their own streams only",
    goal: "others exact",
    minutes: 4,
    ...TOGETHER,
  },
  freezes: { text: "a server that is frozen ends no session by it", goal: "0 sessions ended", minutes: 2, ...TOGETHER },
  full_disk: {
    text: "a disk that is full for logs, or a reader that stops, harms nobody",
    goal: "0 streams harmed",
    minutes: 2,
    ...ALONE,
  },
  dead_exporter: {
    text: "a collector of traces that is dead harms nobody",
    goal: "0 streams harmed",
    minutes: 4,
    ...TOGETHER,
  },
  clock_jumps: {
    text: "a clock on the wall that jumps ends nothing",
    goal: "0 streams harmed",
    minutes: 0.4,
    ...TOGETHER,
  },
  scheduler: {
    text: "random histories of the scheduler keep order, fairness, bounds and every job",
    goal: "0 broken",
    minutes: 1.5,
    ...TOGETHER,
  },
  overload: {
    text: "three times what it carries: those admitted lose nothing, others are refused",
    goal: "0 missing",
    minutes: 1,
    ...ALONE,
  },
  half_open: {
    text: "peers that vanish without a word are gone within their limit",
    goal: "limit + 9 s",
    minutes: 1,
    ...ALONE,
  },
  slow_readers: {
    text: "slow readers are closed within their limit, at 1 MiB each at most",
    goal: "limit + 9 s",
    minutes: 1,
    ...ALONE,
  },
  fast_senders: {
    text: "fast senders that do not read stay within their budgets",
    goal: "memory back",
    minutes: 1.5,
    ...ALONE,
  },
  floods: {
    text: "floods of frames, pings, upgrades, starts and slow headers stop nobody else",
    goal: "others exact",
    minutes: 2.5,
    ...ALONE,
  },
  renewals: {
    text: "certificates that are renewed under load refuse no connection and end no session",
    goal: "0 refused",
    minutes: 1.5,
    ...TOGETHER,
  },
  idle: { text: "idle connections cost little, and nothing afterwards", goal: "memory back", minutes: 2.5, ...ALONE },
  soak: {
    text: "memory, descriptors and threads stay as they are while streams come and go",
    goal: "+20 MB at most",
    minutes: 5.2,
    ...ALONE,
  },
  resume: {
    text: "a stream that is cut anywhere and resumed is as if unbroken",
    goal: "0 differences",
    minutes: 6,
    ...TOGETHER,
  },
  conformance: {
    text: "the WebSocket protocol is obeyed, also against clients that do not",
    goal: "all cases",
    minutes: 0.2,
    ...TOGETHER,
  },
  protocol_fuzzing: {
    text: "no sequence of messages crashes, leaks or goes unanswered",
    goal: "0 findings",
    minutes: 3,
    ...TOGETHER,
  },
  native_fuzzing: {
    text: "no input of the C library breaks a sanitizer",
    goal: "0 findings",
    minutes: 3,
    ...TOGETHER,
  },
} as const satisfies Record<string, Promised>;

export type PromiseName = keyof typeof PROMISES;
