// The worker of the program with faults on demand.

// A message that comes before the worker's own program has been evaluated would be lost: no dynamic import.
import "../../../src/worker.ts";

import { type FaultKind, FaultSwitch } from "./fault-switch.ts";

const faults = new FaultSwitch();
const channel = new BroadcastChannel("faults");
channel.onmessage = (event) => {
  const data: unknown = event.data;
  if (data === "disarm") faults.disarm();
  else if (typeof data === "object") arm(data as { name: string; kind: FaultKind; skip: number });
};

function arm({ name, kind, skip }: { name: string; kind: FaultKind; skip: number }): void {
  faults.arm(name, kind, skip, () => channel.postMessage("fired"));
}
