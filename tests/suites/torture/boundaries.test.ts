import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";

import { freshSeed, seeded } from "../../support/audio.ts";
import { LEFT_OUT, NOT_REACHED, type Seam, SEAMS } from "../../support/faults/boundaries.ts";
import { buildFaultProgram } from "../../support/faults/build.ts";
import { FaultServer } from "../../support/faults/fault-server.ts";
import type { FaultKind } from "../../support/faults/fault-switch.ts";
import { prove, rounds } from "../../support/proof.ts";

/** Faults in one run: of the long form every method in both ways, at its first call and at a later one. */
const SHORT = 8;
/** In the long form, the pace of faults that are logged as one task: the log takes about one a second. */
const PACE_MS = 1_000;
/** Most calls of a method before the one that fails. */
const MOST_SKIPPED = 5;
/** Runs in which a method must be reached: some are only when a model fails, which it does at random. */
const MOST_RUNS = 4;
const MIB = 1024 * 1024;
/** Growth of the process from here on, when the memory of the first faults has settled. */
const SETTLED = 200;
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
  const all: Attempt[] = [
    { kind: "throw", skip: 0 },
    { kind: "rejection", skip: 0 },
    { kind: "throw", skip: 1 + Math.floor(random() * MOST_SKIPPED) },
  ];
  return rounds(0, 1) === 1 ? all : [all[Math.floor(random() * all.length)]!];
}

const seed = freshSeed();

test(`a throw or a rejection at any boundary costs its session only, and is logged once (seed ${seed})`, async () => {
  await prove("boundaries", async () => {
    await using server = await FaultServer.start([program.path]);
    const random = seeded(seed);
    const problems: string[] = [];
    const costs = new Map<string, number>();
    const reached = new Set<string>();
    let fired = 0;
    let settled: number | undefined;
    const tryAt = async (seam: Seam, { kind, skip }: Attempt): Promise<void> => {
      if (server.ended) return;
      const begunAt = performance.now();
      const report = await server.run(seam, kind, skip);
      for (const problem of report.problems) problems.push(`${kind} at ${seam.name} after ${skip} calls: ${problem}`);
      if (server.ended || !report.fired) return;
      reached.add(seam.name);
      if (++fired === SETTLED) settled = await server.memory();
      const cost = report.fates[0]?.split(": ")[1] ?? "nothing";
      costs.set(cost, (costs.get(cost) ?? 0) + 1);
      if (kind === "rejection") await Bun.sleep(rounds(0, PACE_MS - (performance.now() - begunAt)));
    };
    const seams = seamsFor(random);
    for (const seam of seams) {
      if (server.ended) break;
      for (const attempt of attempts(random)) await tryAt(seam, attempt);
      for (let run = 1; run < MOST_RUNS && !reached.has(seam.name); run++)
        await tryAt(seam, { kind: "throw", skip: 0 });
      if (!server.ended && !reached.has(seam.name))
        problems.push(`${seam.name} is not called; if that is right, it belongs in NOT_REACHED`);
    }
    expect(problems).toEqual([]);
    const growth = settled === undefined ? 0 : (await server.memory()) - settled;
    expect(growth).toBeLessThan(MOST_GROWTH);
    expect(fired).toBeGreaterThan(0);
    const shown = [...costs].map(([cost, count]) => `${cost} ${count}`).join(", ");
    return `${fired} faults at ${reached.size} of ${seams.length} methods, each at most one session: ${shown}; ${(growth / MIB).toFixed(0)} MiB`;
  });
});
