import { messageOf } from "../../lib/thrown.ts";
import { NativeLibraryError } from "../../native/load-failure.ts";
import type { Check, Examined } from "./check.ts";
import type { Finding, ReportFinding } from "./finding.ts";

/** Timers that are set to more fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Receives what the checks find, in their order. */
export interface CheckEvents {
  /** A check begins. */
  began(check: Check): void;
  found(finding: Finding): void | Promise<void>;
}

/**
 * Runs checks one after the other. One that throws, or takes longer than it may, is reported as a failure, and the others
 * follow. What it reports later is dropped.
 */
export async function runChecks(checks: readonly Check[], examined: Examined, events: CheckEvents): Promise<void> {
  for (const check of checks) {
    events.began(check);
    for await (const finding of findingsOf(check, examined)) await events.found(finding);
  }
}

/** Yields the findings of a check as it reports them. */
async function* findingsOf(check: Check, examined: Examined): AsyncGenerator<Finding, void> {
  const { name } = check;
  const findings: Finding[] = [];
  let wake = Promise.withResolvers<void>();
  let isOver = false;
  const report: ReportFinding = (verdict, subject, found, remedy) => {
    if (isOver) return;
    findings.push({ verdict, subject, found, ...(remedy !== undefined && { remedy }) });
    wake.resolve();
  };
  const end = (): void => {
    isOver = true;
    wake.resolve();
  };
  const limitMs = Math.min(MAX_TIMER_MS, typeof check.limitMs === "number" ? check.limitMs : check.limitMs(examined));
  const timer = setTimeout(() => {
    report("failure", name, `the check did not end within ${limitMs / 1000} s`);
    end();
  }, limitMs);
  // In a function that is asynchronous, so that what it throws at once is caught, too.
  const run = async (): Promise<void> => await check.run(examined, report);
  run()
    .catch((error: unknown) => {
      const isLibrary = error instanceof NativeLibraryError;
      if (isLibrary) report("note", name, "not checked, because the C library cannot be loaded");
      else report("failure", name, `the check itself failed: ${messageOf(error)}`);
    })
    .finally(end);
  try {
    while (!isOver || findings.length > 0) {
      const finding = findings.shift();
      if (finding !== undefined) yield finding;
      else {
        await wake.promise;
        wake = Promise.withResolvers<void>();
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
