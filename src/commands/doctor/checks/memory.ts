import { totalmem } from "node:os";

import type { Config } from "../../../config/config.ts";
import { memoryLimit } from "../../../config/memory-limit.ts";
import { groupFiles } from "../../../lib/control-groups.ts";
import { formatBytes } from "../bytes.ts";
import type { Check, Machine } from "../check.ts";
import type { ReportFinding } from "../finding.ts";

const MIB = 1024 * 1024;
/** More of the memory than this should not be for audio: the models need some. */
const MAX_ARENA_SHARE = 0.8;
const SWAP_LIMIT = { controller: "memory", files: ["memory.swap.max", "memory.memsw.limit_in_bytes"] } as const;
/** A machine that swaps that much is slow at unforeseen times. */
const MAX_SWAPPED = 0.5;

/** Memory, its limit in a container, and what the settings allow. */
export const memory: Check = {
  name: "memory",
  limitMs: 5_000,
  run: ({ machine, config }, report) => examineMemory(machine, config.limits, report),
};

/** @param machineBytes memory of the machine */
export function examineMemory(
  { read }: Pick<Machine, "read">,
  limits: Pick<Config["limits"], "arena_mb" | "inbox_total_mb" | "results_total_mb">,
  report: ReportFinding,
  machineBytes = totalmem(),
): void {
  const { bytes, from } = memoryLimit(read, machineBytes);
  const meminfo = read("/proc/meminfo") ?? "";
  const available = amountOf(meminfo, "MemAvailable");
  const arena = limits.arena_mb * MIB;
  const free = available === undefined ? "" : `, ${formatBytes(available)} available on the machine`;
  const found = `${formatBytes(bytes)} (${from})${free}; audio may take ${formatBytes(arena)}`;
  const most = arena + (limits.inbox_total_mb + limits.results_total_mb) * MIB;
  const smaller = "set limits.arena_mb to a smaller number, or auto";
  if (arena > bytes * MAX_ARENA_SHARE) {
    report("warning", "memory", `${found}, which leaves too little for models and messages`, smaller);
  } else if (available !== undefined && arena > available) {
    report("warning", "memory", `${found}, which is more than is available now`, smaller);
  } else if (most > bytes) {
    const remedy = "raise the limit of the container, or lower limits.inbox_total_mb and limits.results_total_mb";
    report("note", "memory", `${found}, and with messages and results ${formatBytes(most)} at most`, remedy);
  } else report("ok", "memory", found);
  reportSwap(read, meminfo, report);
}

function reportSwap(read: Machine["read"], meminfo: string, report: ReportFinding): void {
  const total = amountOf(meminfo, "SwapTotal") ?? 0;
  const used = total - (amountOf(meminfo, "SwapFree") ?? total);
  if (total === 0) return;
  const isOff = groupFiles(read, SWAP_LIMIT).some(({ path, text }) => path.endsWith(".max") && Number(text) === 0);
  if (isOff) return report("ok", "swap", "none for this control group");
  const found = `${formatBytes(used)} of ${formatBytes(total)} in use`;
  if (used <= total * MAX_SWAPPED) return report("ok", "swap", found);
  const remedy = "free memory, or keep the server out of it (MemorySwapMax=0 of systemd)";
  report("warning", "swap", `${found}: a server whose memory is swapped out answers late`, remedy);
}

/** Returns an amount of /proc/meminfo, bytes; undefined: it has none of that name. */
function amountOf(meminfo: string, name: string): number | undefined {
  const [, kibibytes] = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(meminfo) ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
