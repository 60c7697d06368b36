import type { Finding, ReportFinding } from "../../src/commands/doctor/finding.ts";

/** Findings as they are reported. */
export class Findings {
  readonly all: Finding[] = [];

  readonly report: ReportFinding = (verdict, subject, found, remedy) => {
    this.all.push({ verdict, subject, found, ...(remedy !== undefined && { remedy }) });
  };

  /** `verdict subject: found` of each. */
  get lines(): string[] {
    return this.all.map(({ verdict, subject, found }) => `${verdict} ${subject}: ${found}`);
  }

  /** What is not ok has something to do about it. */
  get withoutRemedy(): Finding[] {
    return this.all.filter(({ verdict, remedy, found }) => {
      return verdict !== "ok" && remedy === undefined && !found.includes("allowed: ");
    });
  }
}

/** Runs a check, and returns what it reports. */
export async function findingsOf(check: (report: ReportFinding) => void | Promise<void>): Promise<Findings> {
  const findings = new Findings();
  await check(findings.report);
  return findings;
}
