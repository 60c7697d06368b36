import type { EffectiveConfig } from "../../../config/config.ts";
import { OTHER_DESCRIPTORS } from "../../../config/connection-limits.ts";
import { descriptorLimit } from "../../../lib/descriptors.ts";
import { DescriptorWatch, PROCESS_DESCRIPTORS } from "../../../server/connections/descriptors.ts";
import { processCount } from "../../serve/process-count.ts";
import { findRequestProblem } from "../../serve/request-limit.ts";
import { formatNumber } from "../../terminal/numbers.ts";
import type { Check } from "../check.ts";
import { CollectedLog } from "../collected-log.ts";
import type { ReportFinding } from "../finding.ts";

const REMEDY = "raise the limit: LimitNOFILE=65536 of systemd, --ulimit nofile=65536 of docker, or ulimit -Hn 65536";

/** File descriptors: each connection takes one. */
export const descriptors: Check = {
  name: "descriptors",
  limitMs: 5_000,
  run: ({ effective }, report) => examineDescriptors(effective, report),
};

/** @param limit descriptors that the process may have open; undefined: not known */
export function examineDescriptors(
  { config, entries }: EffectiveConfig,
  report: ReportFinding,
  limit = descriptorLimit(),
): void {
  if (limit === undefined) return report("note", "descriptors", "the limit of open files is not known (no /proc)");
  const { max_sessions: sessions, max_connections: connections } = config.limits;
  const source = entries.find(({ key }) => key === "limits.max_connections")?.source ?? "";
  const found = `${formatNumber(limit)} open files, ${formatNumber(Number(connections))} connections`;
  const problem = findRequestProblem(config, limit);
  if (problem !== undefined) return report("failure", "descriptors", problem, REMEDY);
  if (!source.includes("auto:") && Number(connections) > limit - OTHER_DESCRIPTORS) {
    const text = `${found}, which limits.max_connections (${source}) asks for: more than there are files`;
    return report("warning", "descriptors", text, `${REMEDY}; or set limits.max_connections to auto`);
  }
  const possible = possibleSessions(sessions, processCount(config.server.processes), limit);
  if (possible < sessions) {
    const text = `${found}: enough for ${formatNumber(possible)} sessions, and limits.max_sessions is ${formatNumber(sessions)}`;
    return report("warning", "descriptors", text, REMEDY);
  }
  report("ok", "descriptors", `${found}, ${formatNumber(sessions)} sessions`);
}

/** Returns the sessions that a server would accept, as it computes them when it starts. */
function possibleSessions(sessions: number, processes: number, limit: number): number {
  const watch = new DescriptorWatch(new CollectedLog(), () => 0, { ...PROCESS_DESCRIPTORS, limit: () => limit });
  return watch.sessionLimit(sessions, processes);
}
