import { clockIsSynchronized } from "../../../native/system.ts";
import type { Check } from "../check.ts";
import type { ReportFinding } from "../finding.ts";

/** No clock that is right shows an earlier time: this program is newer. */
const EARLIEST = Date.UTC(2026, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);
const NEEDED = "certificates, tokens and tickets expire by it";

/** The clock on the wall. */
export const clock: Check = {
  name: "clock",
  limitMs: 5_000,
  run: ({ machine }, report) => examineClock(machine.now(), clockIsSynchronized(), report),
};

/** @param now milliseconds since 1970 @param isSynchronized as the kernel says; undefined: it does not */
export function examineClock(now: number, isSynchronized: boolean | undefined, report: ReportFinding): void {
  const shown = `${new Date(now).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  if (now < EARLIEST || now > LATEST) {
    return report("failure", "clock", `${shown} cannot be right; ${NEEDED}`, "set the clock, and start chrony or NTP");
  }
  if (isSynchronized === false) {
    const found = `${shown}, not synchronized as far as the kernel knows; ${NEEDED}`;
    return report("note", "clock", found, "start chrony or systemd-timesyncd on the machine, unless its host does it");
  }
  report("ok", "clock", `${shown}${isSynchronized === true ? ", synchronized" : ""}`);
}
