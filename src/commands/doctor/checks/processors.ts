import { availableParallelism } from "node:os";

import type { Config, ModelConfig } from "../../../config/config.ts";
import { groupFiles, type ReadText } from "../../../lib/control-groups.ts";
import { defaultWorkers } from "../../../model/models.ts";
import { formatCount } from "../../terminal/numbers.ts";
import type { Check, Machine } from "../check.ts";
import type { ReportFinding } from "../finding.ts";

/** Features of an x64 processor: without the first the program does not start; the others make it and models faster. */
const NEEDED = "sse4_2";
const FASTER = ["avx2", "avx512f"] as const;

/** What models and the server compute with. */
export const processors: Check = {
  name: "processors",
  limitMs: 5_000,
  run: ({ machine, config }, report) => examineProcessors(machine, config, report),
};

/** @param count processors that the process may run on */
export function examineProcessors(
  { read }: Pick<Machine, "read">,
  config: Pick<Config, "model" | "models">,
  report: ReportFinding,
  count = availableParallelism(),
): void {
  const { model, features } = describeProcessor(read("/proc/cpuinfo") ?? "");
  const fast = FASTER.filter((feature) => features.has(feature));
  const shown = [model, formatCount(count, "processor"), ...fast].filter(Boolean).join(", ");
  if (features.has(NEEDED) && fast.length === 0) {
    const found = `${shown}, without AVX2: models in native code, such as ONNX Runtime, need more time`;
    report("note", "processors", found, "let the virtual machine pass the processor on (QEMU: -cpu host)");
  } else report("ok", "processors", shown);
  reportShare(read, count, config, report);
}

function reportShare(
  read: ReadText,
  count: number,
  config: Pick<Config, "model" | "models">,
  report: ReportFinding,
): void {
  const quota = processorQuota(read);
  const usable = Math.min(count, quota?.processors ?? Infinity);
  const local = [config.model, ...Object.values(config.models)].filter(isLocal);
  const workers = local.reduce((sum, model) => sum + model.workers, 0);
  if (quota !== undefined && quota.processors < count) {
    const found = `the control group gives ${shortNumber(quota.processors)} of ${count} processors (${quota.path})`;
    if (workers <= quota.processors) return report("ok", "processor time", found);
    const some = Math.max(1, Math.floor(quota.processors));
    const remedy = `set --workers ${some}, or raise the limit of the container`;
    return report("warning", "processor time", `${found}; ${formatCount(workers, "worker")} would share it`, remedy);
  }
  if (workers > usable) {
    const found = `${formatCount(workers, "worker")} of models for ${formatCount(usable, "processor")}`;
    const remedy = "fewer workers, unless the models wait for a graphics card or another service";
    report("note", "processor time", `${found}: each call takes longer when all are busy`, remedy);
  }
}

/** Returns false for a model that computes elsewhere. */
function isLocal({ name }: ModelConfig): boolean {
  return defaultWorkers(name) === undefined;
}

/** Returns the name of the processor and its features, from the text of /proc/cpuinfo. */
export function describeProcessor(text: string): { readonly model: string; readonly features: ReadonlySet<string> } {
  const [, model = ""] = /^model name\s*: (.*)$/m.exec(text) ?? [];
  const [, features = ""] = /^(?:flags|Features)\s*: (.*)$/m.exec(text) ?? [];
  return { model: model.trim(), features: new Set(features.split(" ")) };
}

/** Returns how many processors the control groups allow at most, and the file that says so; undefined: no limit. */
export function processorQuota(read: ReadText): { readonly processors: number; readonly path: string } | undefined {
  const files = groupFiles(read, { controller: "cpu", files: ["cpu.max", "cpu.cfs_quota_us"] });
  const limits = files.flatMap(({ path, text }) => {
    // Version 2 has the quota and its period in one file.
    const [quota = "", period = read(path.replace(/cfs_quota_us$/, "cfs_period_us")) ?? ""] = text.trim().split(" ");
    const processors = Number(quota) / Number(period.trim());
    return processors > 0 && Number.isFinite(processors) ? [{ processors, path }] : [];
  });
  return limits.toSorted((a, b) => a.processors - b.processors)[0];
}

function shortNumber(value: number): string {
  return String(Number(value.toFixed(2)));
}
