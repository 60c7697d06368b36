// Effect of one hostile client on everybody else. Streams of real speech run alone, then beside a client that floods
// the server with what the protocol allows; /api/v1/health is asked all the time.
//
//   bun run bench attacks [--streams 50] [--seconds 8] [--only bytes,nested] [-- --set key=value ...]
//
// Goal: the p99 of the others rises by at most 20 ms, and `health` answers within 100 ms. The exit code is 1 when a
// row misses it. Attackers run in a separate process.

import { join } from "node:path";
import { parseArgs } from "node:util";

import { runPlan } from "../../src/commands/bench/parts.ts";
import { buildExecutable } from "../build.ts";
import { printMachine } from "./support/machine.ts";
import { ServerProcess } from "./support/server-process.ts";
import { speechPlan } from "./support/speech-plan.ts";
import { quantile } from "./support/statistics.ts";

const KINDS = ["rates", "bytes", "empty", "nested", "flush", "stop", "keep_alive", "bad-json", "pings"];
const GOAL_ADDED_MS = 20;
const GOAL_HEALTH_MS = 100;
const HEALTH_EVERY_MS = 50;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    streams: { type: "string", default: "50" },
    seconds: { type: "string", default: "8" },
    only: { type: "string" },
  },
});

interface Row {
  readonly p50: number;
  readonly p99: number;
  readonly health: number;
  readonly problems: number;
}

async function measure(attack: string | undefined): Promise<Row> {
  const instant = ["delay", "constant_factor", "jitter"].flatMap((key) => ["--set", `model.${key}=0`]);
  await using server = await ServerProcess.start([executable, "serve", "--port", "0", ...instant, ...positionals]);
  const addr = `ws://${server.host}`;
  let attacker: Bun.Subprocess | undefined;
  let health = 0;
  let asking = true;
  const ask = async (): Promise<void> => {
    while (asking) {
      const before = performance.now();
      await fetch(`http://${server.host}/api/v1/health`).then(
        (response) => response.text(),
        () => undefined,
      );
      health = Math.max(health, performance.now() - before);
      await Bun.sleep(HEALTH_EVERY_MS);
    }
  };
  let asked: Promise<void> | undefined;
  try {
    const streams = Number(values.streams);
    const run = { addr: `${addr}/api/v1/segmented`, streams, ramp: 1, settle: 2, seconds: Number(values.seconds) };
    const { tally } = await runPlan(speechPlan({ ...run, timeout: 30 }), [executable], {
      counting: () => {
        if (asked !== undefined) return;
        asked = ask();
        if (attack === undefined) return;
        attacker = Bun.spawn([process.execPath, join(import.meta.dir, "support", "attacker.ts"), attack, addr], {
          stdio: ["ignore", "ignore", "inherit"],
        });
      },
    });
    const problems = Object.values(tally.problems).reduce((sum, times) => sum + times, 0) + tally.missing;
    return { p50: quantile(tally.finals, 0.5), p99: quantile(tally.finals, 0.99), health, problems };
  } finally {
    asking = false;
    attacker?.kill();
    await attacker?.exited;
    await asked;
  }
}

printMachine();
const executable = await buildExecutable();
const kinds = values.only?.split(",") ?? KINDS;
const print = (name: string, { p50, p99, health, problems }: Row, verdict: string): void => {
  const cells = [p50, p99, health].map((value) => value.toFixed(1).padStart(9));
  console.log(`${name.padEnd(11)}${cells.join("")}${String(problems).padStart(9)}  ${verdict}`);
};
console.log(
  `${"attack".padEnd(11)}${["p50 ms", "p99 ms", "health"].map((name) => name.padStart(9)).join("")} problems`,
);
const alone = await measure(undefined);
print("none", alone, "");
for (const kind of kinds) {
  const row = await measure(kind);
  const met = row.p99 - alone.p99 <= GOAL_ADDED_MS && row.health <= GOAL_HEALTH_MS && row.problems === 0;
  if (!met) process.exitCode = 1;
  print(kind, row, met ? "met" : "not met");
}
