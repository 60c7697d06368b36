// The program with faults on demand: `./streamer`, and beside it a Unix socket that arms the switch. Only tests build it.

import { FAULT_KINDS, type FaultKind, FaultSwitch } from "./fault-switch.ts";

const unix = process.env["STREAMER_TEST_FAULTS"];
if (unix !== undefined) serveSwitch(unix);
// The workers of this program have a switch, too.
const workerUrl = new URL("./worker.ts", import.meta.url).href;
globalThis.Worker = class extends Worker {
  constructor() {
    super(workerUrl);
  }
};
await import("../../../src/main.ts");

function serveSwitch(path: string): void {
  const faults = new FaultSwitch();
  const workers = new BroadcastChannel("faults");
  let inWorkers = 0;
  workers.onmessage = (event) => {
    if (event.data === "fired") inWorkers++;
  };
  Bun.serve({
    unix: path,
    fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/arm") {
        const kind = FAULT_KINDS.find((each) => each === searchParams.get("kind")) ?? "throw";
        const armed: { name: string; kind: FaultKind; skip: number } = {
          name: searchParams.get("name") ?? "",
          kind,
          skip: Number(searchParams.get("skip")),
        };
        if (searchParams.get("in") === "worker") workers.postMessage(armed);
        else faults.arm(armed.name, armed.kind, armed.skip);
      }
      if (pathname === "/disarm") {
        faults.disarm();
        workers.postMessage("disarm");
      }
      if (pathname === "/collect") Bun.gc(true);
      return Response.json({ fired: faults.fired + inWorkers, rss: process.memoryUsage.rss() });
    },
  });
}
