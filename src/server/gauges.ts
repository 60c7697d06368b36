import { Arena } from "../audio/arena.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Services } from "../stream/services.ts";

const SLAB_BYTES = Arena.SLAB_SAMPLES * Float32Array.BYTES_PER_ELEMENT;

/** Updates the gauges. To be called before the metrics are rendered. */
export function collectGauges(services: Services, sessions: Sessions, isReady: boolean, version: string): void {
  const { arena, memory, metrics } = services;
  const { sessions: connections, buffers, server } = metrics.families;
  const { paused, inboxBytes, queuedBytes, outboxBytes } = sessions.load();
  connections.active.with({}).set(sessions.size);
  connections.paused.with({}).set(paused);
  buffers.inboxBytes.with({}).set(inboxBytes);
  buffers.queuedBytes.with({}).set(queuedBytes);
  buffers.outboxBytes.with({}).set(outboxBytes);
  buffers.arenaUsed.with({}).set(arena.used * SLAB_BYTES);
  buffers.arenaResident.with({}).set(arena.residentBytes);
  buffers.arenaCapacity.with({}).set(arena.capacity * SLAB_BYTES);
  buffers.arenaWaiting.with({}).set(memory.waiting);
  server.ready.with({}).set(isReady ? 1 : 0);
  server.buildInfo.with({ version, protocol: PROTOCOL_VERSION, bun: Bun.version }).set(1);
}
