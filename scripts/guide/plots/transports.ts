// Processor time of the server for a second of audio, by the length of the messages, over WebSocket and over gRPC.

import { median } from "../../bench/support/statistics.ts";
import { messageCost, TRANSPORTS } from "../../bench/support/transport-cost.ts";
import type { Plot } from "../support/plot.ts";
import { lines, series } from "../support/theme.ts";

const LENGTHS_MS = [20, 50, 100, 200];
const NAMES = { websocket: "WebSocket", grpc: "gRPC" };
const ROUNDS = 2;
const RUN = { pattern: "segmented", streams: 150, settle: 0.4, seconds: 2 };
/** So that the code is compiled before messages count, however few of them come in a second. */
const BEFORE = { streams: 150, messageMs: 20, settle: 0, seconds: 2.5 };

interface Row {
  readonly transport: string;
  readonly message_ms: number;
  readonly us_per_message: number;
  /** Milliseconds of processor time for a second of one stream. */
  readonly ms_per_second: number;
}

export default {
  title: "Short messages cost more for the same audio, most of all over gRPC",

  async measure({ executable }) {
    const rows: Row[] = [];
    for (const messageMs of LENGTHS_MS) {
      const costs = { websocket: [] as number[], grpc: [] as number[] };
      for (let round = 0; round < ROUNDS; round++) {
        for (const transport of TRANSPORTS) {
          costs[transport].push(await messageCost(transport, { ...RUN, executable, messageMs, before: BEFORE }));
        }
      }
      for (const transport of TRANSPORTS) {
        const micros = median(costs[transport]);
        rows.push({
          transport: NAMES[transport],
          message_ms: messageMs,
          us_per_message: Math.round(micros * 10) / 10,
          ms_per_second: Math.round((micros / messageMs) * 100) / 100,
        });
      }
    }
    return rows;
  },

  draw() {
    const x = {
      field: "message_ms",
      type: "ordinal",
      title: "audio in a message (ms)",
      axis: { labelAngle: 0 },
    };
    const y = { field: "ms_per_second", type: "quantitative", title: "processor time for 1 s of audio (ms)" };
    return { layer: lines(x, y, series("transport", Object.values(NAMES))) };
  },
} satisfies Plot<Row>;
