import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";

import { freshSeed, seeded } from "../../support/audio.ts";
import { LEFT_OUT, NOT_REACHED, type Seam, SEAMS } from "../../support/faults/boundaries.ts";
import { buildFaultProgram } from "../../support/faults/build.ts";
import { FaultServer } from "../../support/faults/fault-server.ts";
import type { FaultKind } from "../../support/faults/fault-switch.ts";
import { prove, rounds } from "../../support/proof.ts";

/** Faults in the short form. The others have every method in both ways. */
const SHORT = 8;
/** Servers beside each other, which share the methods: most of the time they wait for clients and for the log. */
const SERVERS = rounds(1, 4);
/** In the long form, the pace of faults that are logged as one task: the log takes about one a second. */
const PACE_MS = 1_000;
/** Most calls of a method before the one that fails. */
const MOST_SKIPPED = 5;
/** Runs in which a method must be reached: some are only when a model fails, which it does at random. */
const MOST_RUNS = 4;
const MIB = 1024 * 1024;
/** Faults of a server after which its memory has settled. It may grow so much from there on. */
const SETTLED = 100;
const MOST_GROWTH = 20 * MIB;

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(3_600_000);

const program = await buildFaultProgram();
afterAll(() => rm(program.folder, { recursive: true }));

/** How a fault is tried at a method: its kind, and the calls that succeed before. */
interface Attempt {
  readonly kind: FaultKind;
  readonly skip: number;
}

/** The methods, in any order. */
function seamsFor(random: () => number): readonly Seam[] {
  const left = new Set([...Object.values(LEFT_OUT), ...Object.values(NOT_REACHED)].flat());
  const all = SEAMS.filter(({ name }) => !left.has(name)).map((seam) => ({ seam, at: random() }));
  return all
    .sort((a, b) => a.at - b.at)
    .slice(0, rounds(SHORT, all.length))
    .map(({ seam }) => seam);
}

function attempts(random: () => number): readonly Attempt[] {
  const later = 1 + Math.floor(random() * MOST_SKIPPED);
  const all: Attempt[] = [
    { kind: "throw", skip: 0 },
    { kind: "rejection", skip: random() < 0.5 ? 0 : later },
    { kind: "throw", skip: later },
  ];
  return rounds(0, 1) === 0 ? [all[Math.floor(random() * all.length)]!] : all.slice(0, rounds(0, 2, 3));
}

/** What the faults of all servers have come to. */
class Findings {
  readonly problems: string[] = [];
  readonly reached = new Set<string>();
  fired = 0;
  /** Highest growth of a server, bytes. */
  growth = 0;
  readonly #costs = new Map<string, number>();

  add(seam: Seam, cost = "nothing"): void {
    this.reached.add(seam.name);
    this.fired++;
    this.#costs.set(cost, (this.#costs.get(cost) ?? 0) + 1);
  }

  get costs(): string {
    return [...this.#costs].map(([cost, count]) => `${cost} ${count}`).join(", ");
  }
}

/** Lets the methods fail, one after the other, in a server of their own. */
async function failEach(seams: readonly Seam[], random: () => number, findings: Findings): Promise<void> {
  const { problems, reached } = findings;
  await using server = await FaultServer.start([program.path]);
  let fired = 0;
  let settled: number | undefined;
  const tryAt = async (seam: Seam, { kind, skip }: Attempt): Promise<void> => {
    if (server.ended) return;
    const begunAt = performance.now();
    const report = await server.run(seam, kind, skip);
    for (const problem of report.problems) problems.push(`${kind} at ${seam.name} after ${skip} calls: ${problem}`);
    if (server.ended || !report.fired) return;
    findings.add(seam, report.fates[0]?.split(": ")[1]);
    if (++fired === SETTLED) settled = await server.memory();
    if (kind === "rejection") await Bun.sleep(rounds(0, PACE_MS - (performance.now() - begunAt)));
  };
  for (const seam of seams) {
    if (server.ended) break;
    for (const attempt of attempts(random)) await tryAt(seam, attempt);
    for (let run = 1; run < MOST_RUNS && !reached.has(seam.name); run++) await tryAt(seam, { kind: "throw", skip: 0 });
    if (!server.ended && !reached.has(seam.name)) {
      problems.push(`${seam.name} is not called; if that is right, it belongs in NOT_REACHED`);
    }
  }
  if (settled !== undefined) findings.growth = Math.max(findings.growth, (await server.memory()) - settled);
}

const seed = freshSeed();

test(`a throw or a rejection at any boundary costs its session only, and is logged once (seed ${seed})`, async () => {
  await prove("boundaries", async () => {
    const random = seeded(seed);
    const seams = seamsFor(random);
    const findings = new Findings();
    const shares = Array.from({ length: SERVERS }, (_, n) => seams.filter((_, i) => i % SERVERS === n));
    await Promise.all(shares.map((share, n) => failEach(share, seeded(seed + n), findings)));
    const { problems, reached, fired, growth, costs } = findings;
    expect(problems).toEqual([]);
    expect(growth).toBeLessThan(MOST_GROWTH);
    expect(fired).toBeGreaterThan(0);
    return `${fired} faults at ${reached.size} of ${seams.length} methods, each at most one session: ${costs}; ${(growth / MIB).toFixed(0)} MiB`;
  });
});
