import { appendFileSync } from "node:fs";
import { loadavg } from "node:os";

import { messageOf } from "../../src/lib/thrown.ts";
import type { PromiseName } from "./promises.ts";

/** What one test found of a promise, a line of the file that STREAMER_PROOFS names. */
export interface Proof {
  readonly promise: PromiseName;
  /** What was found, with its unit; of a failed test, the reason. */
  readonly figure: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** Load of the machine in the last minute of the test. */
  readonly load: number;
}

/** How much a run of `npm run torture` does: `short` as the tests, `long` for the table, `endless` on demand. */
export type Form = "short" | "long" | "endless";

/**
 * Runs a test of a promise, and records the figure that it returns, or its failure, for the table of
 * `npm run torture`. A promise may have several tests. Those that STREAMER_PROMISES does not name are not run.
 */
export async function prove(promise: PromiseName, find: () => Promise<string> | string): Promise<void> {
  if (process.env["STREAMER_PROMISES"]?.split(",").includes(promise) === false) return;
  const begunAt = performance.now();
  const record = (figure: string, passed: boolean): void => {
    const path = process.env["STREAMER_PROOFS"];
    if (path === undefined) return;
    const seconds = (performance.now() - begunAt) / 1_000;
    const proof: Proof = { promise, figure, passed, seconds, load: loadavg()[0] ?? 0 };
    appendFileSync(path, `${JSON.stringify(proof)}\n`);
  };
  try {
    record(await find(), true);
  } catch (error) {
    record(messageOf(error), false);
    throw error;
  }
}

/** The number of rounds of a test in the form that STREAMER_TORTURE names; default: the short one. */
export function rounds(short: number, long: number, endless = long): number {
  const form = process.env["STREAMER_TORTURE"];
  if (form === "endless") return endless;
  return form === "long" ? long : short;
}
