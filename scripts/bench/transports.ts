// Processor time of the server for an audio message over WebSocket and over gRPC: paced streams of the built-in speech,
// messages of 100 ms, mono s16 at 16 kHz, each stream with a connection of its own, an instant model.
//
//   bun run bench transports [--streams 200] [--seconds 10] [--rounds 3] [--pattern segmented]
//
// The transports take turns. The client is this process, with the client library over both; only the server counts.

import { parseArgs } from "node:util";

import { buildExecutable } from "../build.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { median } from "./support/statistics.ts";
import { messageCost, TRANSPORTS } from "./support/transport-cost.ts";

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "200" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    pattern: { type: "string", default: "segmented" },
  },
});

printMachine();
const run = {
  executable: await buildExecutable(),
  pattern: values.pattern,
  streams: Number(values.streams),
  messageMs: 100,
  settle: 3,
  seconds: Number(values.seconds),
};
const results = { websocket: [] as number[], grpc: [] as number[] };
for (let round = 0; round < Number(values.rounds); round++) {
  for (const transport of TRANSPORTS) results[transport].push(await messageCost(transport, run));
}
for (const [transport, micros] of Object.entries(results)) {
  console.log(
    `${transport.padEnd(10)} ${median(micros).toFixed(1)} us a message (${micros.map((each) => each.toFixed(1)).join(", ")})`,
  );
  reportFigure(`transports/${transport}_us`, median(micros));
}
