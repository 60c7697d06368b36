import { Arena } from "../audio/arena.ts";
import type { Config } from "../config/config.ts";
import { Memory } from "../stream/memory.ts";
import type { StreamAdmission } from "../stream/stream-admission.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import { ArenaTrimmer } from "./arena-trimmer.ts";
import { memoryLimits } from "./memory-limits.ts";
import { openAdmission } from "./open-admission.ts";

/** The memory of all buffered audio, and those who share it out. */
export interface AudioMemory {
  readonly arena: Arena;
  readonly memory: Memory;
  readonly admission: StreamAdmission;
  readonly trimmer: ArenaTrimmer;
}

/** Opens the audio memory with the configured size and limits. Throws RangeError when it cannot be reserved. */
export function openAudioMemory(
  config: Config,
  reports: { readonly log: Logger; readonly metrics: ServerMetrics; readonly clock: () => number },
): AudioMemory {
  const arena = new Arena(config.limits.arena_mb * Arena.SLABS_PER_MIB);
  return {
    arena,
    memory: new Memory(arena, memoryLimits(config, arena.capacity, reports)),
    admission: openAdmission(config, arena, reports),
    trimmer: new ArenaTrimmer(arena),
  };
}
