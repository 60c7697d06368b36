import { Arena } from "../audio/arena.ts";
import { type Config, holdMs } from "../config/config.ts";
import type { MemoryLimits } from "../stream/memory.ts";
import type { Logger } from "../telemetry/log/log.ts";
import { RateLimitedLog } from "../telemetry/log/rate-limited-log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";

/** Rate for which the reserve is computed: models know their own only when they are loaded, and most use this one. */
const RATE_HZ = 16_000;

/** The limits of the memory by the configuration, and the report of streams that had to be ended. */
export function memoryLimits(
  config: Config,
  capacity: number,
  { log, metrics, clock }: { log: Logger; metrics: ServerMetrics; clock: () => number },
): MemoryLimits {
  const { session_share, caller_share } = config.limits;
  const limitedLog = new RateLimitedLog(log, { now: clock });
  const utterance = Math.ceil((holdMs(config) * RATE_HZ) / 1000 / Arena.SLAB_SAMPLES);
  // In a small memory a share would be less than one utterance.
  const slabsOf = (share: number): number =>
    share >= 1 ? Infinity : Math.max(utterance, Math.floor(capacity * share));
  return {
    reserve: utterance,
    shares: { session: slabsOf(session_share), caller: slabsOf(caller_share) },
    openedAt: clock(),
    shed: (streams, slabs) => {
      metrics.families.streams.shed.with({}).add(streams);
      limitedLog.warn("streams_shed", { streams, slabs, arena_slabs: capacity });
    },
  };
}
