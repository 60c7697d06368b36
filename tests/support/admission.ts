import { Headroom, type Slabs } from "../../src/capacity/headroom.ts";
import { StreamAdmission } from "../../src/stream/stream-admission.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";

/** An admission that refuses nobody. */
export function unlimitedAdmission(slabs: Slabs): StreamAdmission {
  const limits = { arena: 1, waitMs: Infinity, load: Infinity };
  const headroom = new Headroom(limits, slabs, () => ({ hold: 1, compute: 0 }));
  return new StreamAdmission(headroom, { log: { warn: () => {} }, metrics: new ServerMetrics(), clock: () => 0 });
}
