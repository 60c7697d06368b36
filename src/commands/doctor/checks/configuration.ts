import type { EffectiveConfig } from "../../../config/config.ts";
import { divisionWarnings } from "../../../server/processes/division.ts";
import { routeWarnings } from "../../../server/route-warnings.ts";
import { otelProblems } from "../../../telemetry/tracing/otel-environment.ts";
import { processCount } from "../../serve/process-count.ts";
import { formatCount } from "../../terminal/numbers.ts";
import type { Check, Machine } from "../check.ts";
import type { ReportFinding } from "../finding.ts";

/** Settings that are given, and those that have no effect. A configuration that is not valid is reported before. */
export const configuration: Check = {
  name: "configuration",
  limitMs: 5_000,
  run: ({ effective, machine }, report) => examineConfiguration(effective, machine.env, report),
};

export function examineConfiguration(
  { config, entries, warnings }: EffectiveConfig,
  env: Machine["env"],
  report: ReportFinding,
): void {
  const sources = entries.map(({ source }) => source).filter((source) => !source.startsWith("default"));
  const count = (some: (source: string) => boolean): number => sources.filter(some).length;
  const isVariable = (source: string): boolean => source.startsWith("environment variable ");
  const isFlag = (source: string): boolean => source.startsWith("--");
  const files = new Set(sources.filter((source) => !isVariable(source) && !isFlag(source)));
  const parts = [
    ...files,
    ...[formatCount(count(isVariable), "variable"), formatCount(count(isFlag), "flag")].filter(
      (text) => !text.startsWith("0 "),
    ),
  ];
  report("ok", "configuration", `is valid: ${parts.length === 0 ? "all defaults" : parts.join(", ")}`);
  const processes = processCount(config.server.processes);
  const ignored = [
    ...warnings,
    ...otelProblems(env),
    ...routeWarnings(config),
    ...(processes > 1 ? divisionWarnings(config, processes) : []),
  ];
  for (const text of ignored) report("warning", "configuration", text);
}
