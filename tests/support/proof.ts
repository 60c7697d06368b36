import { appendFileSync } from "node:fs";

import { messageOf } from "../../src/lib/thrown.ts";
import type { PromiseName } from "./promises.ts";

/** What one test found of a promise, a line of the file that STREAMER_PROOFS names. */
export interface Proof {
  readonly promise: PromiseName;
  /** What was found, with its unit; of a failed test, the reason. */
  readonly figure: string;
  readonly passed: boolean;
}

/**
 * Runs a test of a promise, and records the figure that it returns, or its failure, for the table of
 * `npm run torture`. A promise may have several tests.
 */
export async function prove(promise: PromiseName, find: () => Promise<string> | string): Promise<void> {
  try {
    record({ promise, figure: await find(), passed: true });
  } catch (error) {
    record({ promise, figure: messageOf(error), passed: false });
    throw error;
  }
}

/** The number of rounds of a test: the long form with `npm run torture`, else the short one. */
export function rounds(short: number, long: number): number {
  return process.env["STREAMER_TORTURE"] === "long" ? long : short;
}

function record(proof: Proof): void {
  const path = process.env["STREAMER_PROOFS"];
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(proof)}\n`);
}
