// The table of docs/performance.md: every goal with its figure, measured now. Runs other benchmarks one after the other
// and prints the table in Markdown.
//
//   bun run bench table [--quick] [--only segmented,calls]
//
// Each row is measured in five rounds, with --quick in one. A full run takes about 21 minutes on two cores, a quick one
// about 6. Nothing else should run on the machine; its load is printed before and after.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { FIGURES_FILE, readFigures } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";

interface Figure {
  readonly what: string;
  readonly goal: string;
  /** Name of the figure that the benchmark reports. */
  readonly figure: string;
  readonly unit: string;
  readonly digits: number;
  /** Returns true if a value meets the goal. Undefined: there is no goal. */
  readonly met?: (value: number) => boolean;
}

interface Measurement {
  /** Arguments of `bun run bench`, in full and for one round. */
  readonly full: string;
  readonly quick: string;
  readonly figures: readonly Figure[];
}

const atMost = (limit: number) => (value: number) => value <= limit;
const atLeast = (limit: number) => (value: number) => value >= limit;

/** A latency counts only when nobody was refused to reach it. */
const notServed: Figure = {
  what: "of these streams not served",
  goal: "0",
  figure: "latency/not_served",
  unit: "",
  digits: 0,
  met: atMost(0),
};

const MEASUREMENTS: Readonly<Record<string, Measurement>> = {
  segmented: {
    full: "streams --streams 1000 --rounds 5 --traces 0.01",
    quick: "streams --streams 1000 --traces 0.01",
    figures: [
      { what: "bare socket, a message", goal: "", figure: "raw/message_us", unit: "us", digits: 1 },
      { what: "`/segmented`, a message", goal: "", figure: "streamer/message_us", unit: "us", digits: 1 },
      { what: "the same, 1 % traced", goal: "", figure: "traces 0.01/message_us", unit: "us", digits: 1 },
      {
        what: "`/segmented` / bare socket",
        goal: "1.5",
        figure: "streamer / raw",
        unit: "",
        digits: 2,
        met: atMost(1.5),
      },
      { what: "streams a core", goal: "", figure: "streamer/streams_a_core", unit: "", digits: 0 },
    ],
  },
  rates: {
    full: "streams --streams 500 --rounds 5 --rate 16000,48000",
    quick: "streams --streams 500 --rate 16000,48000",
    figures: [
      { what: "48 kHz / 16 kHz", goal: "1.4", figure: "48000 Hz / 16000 Hz", unit: "", digits: 2, met: atMost(1.4) },
    ],
  },
  latency: {
    full: "latency --rounds 5",
    quick: "latency",
    figures: [
      { what: "55 % of the bare socket's streams", goal: "", figure: "latency/streams", unit: "streams", digits: 0 },
      notServed,
      {
        what: "p99 of those served",
        goal: "100 ms",
        figure: "latency/p99_ms",
        unit: "ms",
        digits: 1,
        met: atMost(100),
      },
    ],
  },
  stalls: {
    full: "latency --streams 2000 --rounds 5",
    quick: "latency --streams 2000",
    figures: [
      {
        what: "p99 with 2,000 streams",
        goal: "100 ms",
        figure: "latency/p99_ms",
        unit: "ms",
        digits: 1,
        met: atMost(100),
      },
      notServed,
      { what: "turns above 20 ms, 10 s", goal: "0", figure: "latency/long_turns", unit: "", digits: 0, met: atMost(0) },
    ],
  },
  simple: {
    full: "latency --pattern simple --streams 2000 --rounds 5 -- --set simple.block_ms=100",
    quick: "latency --pattern simple --streams 2000 -- --set simple.block_ms=100",
    figures: [
      {
        what: "`/simple`, 20,000 calls/s, p99",
        goal: "100 ms",
        figure: "latency/p99_ms",
        unit: "ms",
        digits: 1,
        met: atMost(100),
      },
      notServed,
      { what: "`/simple`, a message with its call", goal: "", figure: "latency/message_us", unit: "us", digits: 1 },
    ],
  },
  calls: {
    full: "calls --rounds 5",
    quick: "calls --rounds 1",
    figures: [
      {
        what: "calls a second, pool alone",
        goal: "60,000",
        figure: "calls/per_second",
        unit: "",
        digits: 0,
        met: atLeast(60_000),
      },
      {
        what: "workers busy, 20 ms calls, main thread occupied",
        goal: "97 %",
        figure: "calls/busy_percent",
        unit: "%",
        digits: 1,
        met: atLeast(97),
      },
    ],
  },
  native: {
    full: "native",
    quick: "native",
    figures: [
      {
        what: "energy VAD, times real time",
        goal: "100,000",
        figure: "native/vad_times",
        unit: "",
        digits: 0,
        met: atLeast(100_000),
      },
      {
        what: "48 -> 16 kHz, times libsoxr's speed",
        goal: "1.3",
        figure: "native/soxr_ratio",
        unit: "",
        digits: 2,
        met: atLeast(1.3),
      },
    ],
  },
  handover: {
    full: "handover",
    quick: "handover",
    figures: [
      {
        what: "hand-over, p99 / that of copying",
        goal: "0.33",
        figure: "handover/p99_ratio",
        unit: "",
        digits: 2,
        met: atMost(1 / 3),
      },
    ],
  },
  memory: {
    full: "memory",
    quick: "memory",
    figures: [
      {
        what: "an idle connection",
        goal: "4 KiB",
        figure: "memory/connection_kib",
        unit: "KiB",
        digits: 1,
        met: atMost(4),
      },
      {
        what: "a stream beside its audio",
        goal: "16 KiB",
        figure: "memory/stream_kib",
        unit: "KiB",
        digits: 1,
        met: atMost(16),
      },
      { what: "arena in a burst", goal: "", figure: "memory/burst_mib", unit: "MiB", digits: 0 },
      { what: "arena 6 s after it", goal: "", figure: "memory/after_burst_mib", unit: "MiB", digits: 0 },
    ],
  },
  start: {
    full: "start",
    quick: "start",
    figures: [
      { what: "start to ready", goal: "60 ms", figure: "start/ready_ms", unit: "ms", digits: 0, met: atMost(60) },
      { what: "`--help`", goal: "30 ms", figure: "start/help_ms", unit: "ms", digits: 0, met: atMost(30) },
    ],
  },
  processes: {
    full: "processes --rounds 5",
    quick: "processes",
    figures: [
      {
        what: "2 processes / 1, a message",
        goal: "1.1",
        figure: "processes/ratio",
        unit: "",
        digits: 2,
        met: atMost(1.1),
      },
    ],
  },
};

const { values } = parseArgs({ options: { quick: { type: "boolean", default: false }, only: { type: "string" } } });

/** Runs a benchmark, whose own output goes to standard error, and returns its figures. */
async function run(command: string): Promise<ReadonlyMap<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), "streamer-figures-"));
  try {
    const file = join(folder, "figures");
    await Bun.write(file, "");
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "..", "bench.ts"), ...command.split(" ")], {
      env: { ...process.env, [FIGURES_FILE]: file },
      stdio: ["ignore", 2, 2],
    });
    await child.exited;
    return await readFigures(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function row({ what, goal, figure, unit, digits, met }: Figure, found: ReadonlyMap<string, number>, command: string) {
  const value = found.get(figure);
  if (value === undefined) return `| ${what} | ${goal} | | **failed** | \`bun run bench ${command}\` |`;
  const number = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const verdict = met === undefined ? "" : met(value) ? "met" : "**not met**";
  return `| ${what} | ${goal} | ${number} ${unit} | ${verdict} | \`bun run bench ${command}\` |`.replaceAll("  ", " ");
}

printMachine();
const begin = performance.now();
const rows: string[] = [];
for (const name of values.only?.split(",") ?? Object.keys(MEASUREMENTS)) {
  const measurement = MEASUREMENTS[name];
  if (measurement === undefined) throw new Error(`unknown row ${name}; known: ${Object.keys(MEASUREMENTS).join(", ")}`);
  const command = values.quick ? measurement.quick : measurement.full;
  const found = await run(command);
  rows.push(...measurement.figures.map((figure) => row(figure, found, command)));
}
console.log(["| What | Goal | Figure | | Command |", "| --- | ---: | ---: | --- | --- |", ...rows].join("\n"));
console.log(`${Math.round((performance.now() - begin) / 60_000)} minutes`);
