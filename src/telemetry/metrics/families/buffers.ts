import type { MetricRegistry } from "../metric-registry.ts";

/** Buffers: places where messages, audio and results wait. */
export function bufferFamilies(registry: MetricRegistry) {
  return {
    arenaUsed: registry.gauge("streamer_arena_used_bytes", "Shared audio memory in use."),
    arenaResident: registry.gauge(
      "streamer_arena_resident_bytes",
      "Memory that the shared audio memory occupies: what is in use, and what has been used in the last seconds.",
    ),
    arenaCapacity: registry.gauge("streamer_arena_capacity_bytes", "Size of the shared audio memory, limits.arena_mb."),
    arenaWaiting: registry.gauge("streamer_arena_waiting_streams", "Streams that wait for shared audio memory."),
    inboxBytes: registry.gauge("streamer_inbox_bytes", "Received messages that are not decoded yet, all sessions."),
    queuedBytes: registry.gauge(
      "streamer_queued_job_bytes",
      "Jobs without a result and results that wait for earlier ones, without their audio in the arena, all sessions.",
    ),
    outboxBytes: registry.gauge("streamer_outbox_bytes", "Results that clients have not read yet, all sessions."),
  };
}
