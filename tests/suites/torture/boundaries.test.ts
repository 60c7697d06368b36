import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";

import { freshSeed, seeded } from "../../support/audio.ts";
import { LEFT_OUT, type Seam, SEAMS } from "../../support/faults/boundaries.ts";
import { buildFaultProgram } from "../../support/faults/build.ts";
import { FaultServer } from "../../support/faults/fault-server.ts";
import { FAULT_KINDS, type FaultKind } from "../../support/faults/fault-switch.ts";
import { prove, rounds } from "../../support/proof.ts";

/** Faults in one run: of the long form every method in both ways, at its first call and at a later one. */
const SHORT = 8;
/** In the long form, the pace of faults that are logged as one task: the log takes about one a second. */
const PACE_MS = 1_000;
/** Most calls of a method before the one that fails. */
const MOST_SKIPPED = 5;
const MIB = 1024 * 1024;
/** Growth of the process from here on, when the memory of the first faults has settled. */
const SETTLED = 200;
const MOST_GROWTH = 20 * MIB;

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(3_600_000);

const program = await buildFaultProgram();
afterAll(() => rm(program.folder, { recursive: true }));

interface Case {
  readonly seam: Seam;
  readonly kind: FaultKind;
  readonly skip: number;
}

function cases(random: () => number): Case[] {
  const left = new Set(Object.values(LEFT_OUT).flat());
  const seams = SEAMS.filter(({ name }) => !left.has(name));
  const all = seams.flatMap((seam) =>
    FAULT_KINDS.flatMap((kind) =>
      [0, 1 + Math.floor(random() * MOST_SKIPPED)].map((skip): Case => ({ seam, kind, skip })),
    ),
  );
  const order = all.map((each) => ({ each, at: random() })).sort((a, b) => a.at - b.at);
  return order.slice(0, rounds(SHORT, all.length)).map(({ each }) => each);
}

const seed = freshSeed();

test(`a throw or a rejection at any boundary costs its session only, and is logged once (seed ${seed})`, async () => {
  await prove("boundaries", async () => {
    await using server = await FaultServer.start([program.path]);
    const problems: string[] = [];
    const costs = new Map<string, number>();
    let fired = 0;
    let settled: number | undefined;
    for (const { seam, kind, skip } of cases(seeded(seed))) {
      const begunAt = performance.now();
      const report = await server.run(seam, kind, skip);
      if (kind === "rejection") await Bun.sleep(rounds(0, PACE_MS - (performance.now() - begunAt)));
      for (const problem of report.problems) problems.push(`${kind} at ${seam.name} after ${skip} calls: ${problem}`);
      if (server.ended) break;
      if (!report.fired) continue;
      if (++fired === SETTLED) settled = await server.memory();
      const cost = report.fates[0]?.split(": ")[1] ?? "nothing";
      costs.set(cost, (costs.get(cost) ?? 0) + 1);
    }
    expect(problems).toEqual([]);
    const growth = settled === undefined ? 0 : (await server.memory()) - settled;
    expect(growth).toBeLessThan(MOST_GROWTH);
    expect(fired).toBeGreaterThan(0);
    const shown = [...costs].map(([cost, count]) => `${cost} ${count}`).join(", ");
    return `${fired} faults, each at most one session: ${shown}; ${(growth / MIB).toFixed(0)} MiB`;
  });
});
